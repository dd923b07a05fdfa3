"""Why a session begins nothing new: the budget or a stopping rule, the user, or a space that is used up."""

from __future__ import annotations

from instruments.job import StepResult
from loop.core.campaign_records import time_spent
from loop.core.events import Stopping, Warned
from loop.core.formatting import trials_text
from loop.core.stopping import spent, stop_reason
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.step_analysis import Analyst
from loop.execution.session import Session
from loop.planning.failures import in_a_row

INTERRUPTED = "interrupted by the user"


class StopMonitor:
    """Finds the reason, tells it once, and remembers it.

    Args:
        session: whose user may interrupt, and whose time is limited.
        state: the trials, with the budget and the current stopping rules.

    Attributes:
        interrupted: whether the user wants the session to end.
        after_step: whether what was begun goes on with no further step then.
        aborted: whether at once.
        fault: why the session ends with an error, as soon as what is under way has ended; empty if it does not.
        mistake: the same, where a user's plan fails before anything moves.
    """

    def __init__(self, session: Session, state: CampaignState) -> None:
        self._session, self._state = session, state
        self._sessions = session.store.sessions()
        self._reason: str | None = None
        self.interrupted = self.aborted = self.after_step = False
        self.fault = self.emergency = self.mistake = ""

    def reason(self) -> str | None:
        """Return why nothing new is begun, or None; tell it when it is found."""
        if self._reason is None:
            trials, now = self._state.trials, self._state.version
            reason = stop_reason(now.campaign, trials, spent(trials, self.wall_time), now.first)
            if self._session.options.stop.is_set() or self._session.options.abort.is_set():
                self.interrupted, reason = True, reason or INTERRUPTED
            if reason is not None:
                self.stop(reason)
        return self._reason

    @property
    def ending(self) -> str:
        """Why the session ends, as far as was noticed; empty if it goes on."""
        return self.emergency or self.fault or self._reason or (INTERRUPTED if self.interrupted else "")

    @property
    def by_user(self) -> bool:
        """Whether Ctrl-C ends the session, so that nobody is waited for."""
        return self.interrupted and (self._session.options.stop.is_set() or self._session.options.abort.is_set())

    @property
    def last_of_budget(self) -> bool:
        """Whether the campaign stops only because its trials are all proposed: the queued ones still count."""
        full = sum(trial.counted for trial in self._state.trials)
        return not self.interrupted and full >= self._state.campaign.budget.trials

    @property
    def halted(self) -> bool:
        """Whether not even what was begun goes on: somebody wants so, or a program fails trial after trial."""
        return self.aborted or self.after_step or bool(self.fault or self.emergency or self.mistake)

    @property
    def may_begin(self) -> bool:
        """Whether a trial that waits may be begun."""
        return not self.interrupted and (self.reason() is None or self.last_of_budget)

    @property
    def finished(self) -> bool:
        """Whether the campaign has ended, not only this session."""
        return self._reason is not None and not self.interrupted

    @property
    def wall_time(self) -> float:
        """Seconds spent over all sessions."""
        return time_spent(self._sessions, self._session.store.session_time)

    def check_repeated_faults(self) -> None:
        """Begin nothing new once the same program has failed in the same way several times in a row."""
        if same := in_a_row(self._state.trials):
            which = trials_text([trial.number for trial in same])
            self.fault = (
                f"{same[-1].reason}, which is the same for {which}; their raw data are kept: correct the program, then "
                "go on with 'athanor trial reanalyse --reason WHY' and 'athanor run'; or correct "
                "analysis_settings in the campaign file, which 'athanor run' takes up, then 'athanor trial reanalyse'"
            )
            self._session.on_event(Stopping(self.fault))

    def check_earlier_faults(self, analyst: Analyst) -> None:
        """Stop at once where an analysis that had failed trial after trial in an earlier session still does."""
        same = in_a_row(self._state.trials)
        if not same or not same[-1].acquired:
            return
        if analyst.reanalyse(same[-1])[2]:
            self.check_repeated_faults()
        else:
            numbers = trials_text([t.number for t in same])
            text = f"what failed in the analysis of {numbers} works now: 'athanor trial reanalyse' analyses them anew"
            self._session.on_event(Warned(text))

    def check_plan(self, result: StepResult) -> None:
        """Begin nothing new once a plan has a mistake, which no other attempt mends; its trials wait."""
        if result.mistaken and not self.mistake:
            self.mistake = f"{result.error}; nothing was moved: correct the plan, and 'athanor run' goes on"
            self._session.on_event(Stopping(self.mistake))

    def stop_at_once(self, emergency: str) -> None:
        """Begin nothing, and go on with nothing, because of an emergency stop."""
        self.emergency = emergency
        self._session.on_event(Stopping(emergency))

    def stop(self, reason: str) -> None:
        """Begin nothing new from now on."""
        self._reason = reason
        self._session.on_event(Stopping(reason))

    def end_after(self, current: str, reason: str) -> None:
        """End the session after the current steps (``step``), or after all steps of the current trials (``trial``)."""
        self.interrupted, self.after_step = True, self.after_step or current == "step"
        self.stop(reason)

    @property
    def overdue(self) -> bool:
        """Whether the budget's wall time is spent, which nobody has noticed yet."""
        budget = self._state.campaign.budget.wall_time
        return self._reason is None and budget is not None and self.wall_time >= budget

    def reconsider(self) -> None:
        """Look for a reason anew, as the campaign has changed; what the user wants stays."""
        if not self.interrupted:
            self._reason = None

    def noticed(self) -> bool:
        """Notice Ctrl-C; return whether there is something new about it."""
        if self._session.options.abort.is_set() and not self.aborted:
            self.aborted = self.interrupted = True
            return True
        if self._session.options.stop.is_set() and not self.interrupted:
            self.interrupted = True
            return True
        return False
