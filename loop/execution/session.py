"""What a session is made of: campaign and planner, store, clock, options, and who receives its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from campaigns.campaign import Campaign
from campaigns.warm_start import Source
from instruments.clock import Clock
from loop.core.events import Event
from loop.execution.options import RunOptions
from loop.planning.planner import Planner
from loop.planning.pool_data import PoolData
from loop.storage.store import Store


@dataclass(frozen=True, slots=True)
class CampaignResources:
    """What a session is made of, before there is a lab.

    Attributes:
        campaign: what to do.
        materials: the pool with all that is known of it, or None.
        planner: knows all trials of the store as soon as there is a lab.
        sources: what the models use of earlier campaigns.
    """

    campaign: Campaign
    materials: PoolData | None
    planner: Planner
    sources: Sequence[Source] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One run of a campaign.

    Attributes:
        store: the only memory.
        clock: the lab's time.
        options: how the user may end it.
        on_event: called with everything that happens.
    """

    store: Store
    clock: Clock
    options: RunOptions
    on_event: Callable[[Event], None]

    def emit(self, events: Iterable[Event]) -> None:
        """Emit several events, each as it comes about."""
        for event in events:
            self.on_event(event)
