"""What is asked of the instruments before a session begins, and of each that comes later: do they fit the campaign?"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from campaigns.campaign import Campaign
from campaigns.errors import AthanorError, CampaignError, LabError, LimitError, NoAnswerError, raised_by
from campaigns.fidelity import all_steps
from instruments.job_instrument import JobInstrument
from instruments.limits import Limits
from instruments.step_errors import is_silence, reason_of
from loop.execution.jobs.dispatcher import Dispatcher
from loop.storage.store import Store
from loop.validation.limit_checks import check_limits, keep_limits, missing_settings, misstated, ruled
from loop.validation.time_limits import late_steps


def check_stations(campaign: Campaign, dispatcher: Dispatcher, store: Store) -> None:
    """Check that the instruments fit the campaign; one that cannot be asked is left out until it can, or is an error.

    Raises:
        CampaignError: they do not fit.
        NoAnswerError: one does not answer, and is not waited for.
    """
    first = not store.count()

    def admit(name: str, instrument: JobInstrument) -> None:
        if why := unanswered(campaign, instrument, strict=True):
            raise NoAnswerError(f"{name}: {why}")
        _check(campaign, dispatcher, {name: instrument}, first=first)
        keep_limits(store, ruled(campaign, {name: instrument}))

    dispatcher.admit = admit
    asked = dict(dispatcher.instruments)
    for name, instrument in dispatcher.instruments.items():
        if why := unanswered(campaign, instrument, strict=dispatcher.waits_for_answers):
            if not dispatcher.waits_for_answers:
                raise NoAnswerError(f"{name}: {why}")
            dispatcher.leave_out(name, why)
            del asked[name]
    _check(campaign, dispatcher, asked, first=first)
    keep_limits(store, ruled(campaign, asked))


def unanswered(campaign: Campaign, instrument: JobInstrument, *, strict: bool) -> str:
    """Return why an instrument cannot be asked what a campaign has to know of it; empty if it can.

    Args:
        campaign: whose recipes it is asked for.
        instrument: what stands there.
        strict: whether limits that cannot be read are no answer, too, as those of a server that is being started.

    Raises:
        LabError: it raises an error that is no silence.
    """
    try:
        limits: Limits = instrument.limits
        with suppress(LimitError):  # which the check of units says for all steps at once
            instrument.check_units()
    except Exception as error:  # a device may raise anything
        if is_silence(error):
            return reason_of(error)
        if isinstance(error, AthanorError):
            raise
        raise LabError(f"{instrument.name} cannot be asked what it may be told: {raised_by(error)}") from error
    told = {key for _, step in all_steps(campaign.workflow, campaign.fidelities) for key in step.recipe}
    unreadable = [key for key in limits.unreadable if key in told] if strict else []
    return f"the limits of {', '.join(unreadable)} cannot be read, so that nothing moves there" if unreadable else ""


def _check(
    campaign: Campaign, dispatcher: Dispatcher, instruments: Mapping[str, JobInstrument], *, first: bool
) -> None:
    """Check that instruments fit the campaign.

    Raises:
        CampaignError: they do not; every problem of one kind at once.
    """
    if wrong := list(misstated(campaign, instruments)):
        raise CampaignError(wrong, campaign.name)
    check_limits(campaign, instruments)
    if missing := list(missing_settings(campaign, instruments)):
        raise CampaignError(missing, campaign.name)
    if first and (late := list(late_steps(campaign, instruments))):
        raise CampaignError(late, campaign.name)
    dispatcher.analyst.check_units(instruments)
