"""A cycler of the user's own that is well, and finds no sample that can be measured."""

from instruments.devices.cycler import Cycler
from instruments.job_instrument import SAMPLE_FAILED


class Picky(Cycler):
    def has_job(self, token: str) -> bool:
        return bool(token == self.token.get())

    def start(self, token: str) -> None:
        self.token.put(token)
        self.state.put("busy")
        self.clock.call_later(3600.0, self._end, self.name)

    def progress(self) -> str:
        return str(self.state.get())

    def _end(self) -> None:
        self.message.put("the pellet is cracked")
        self.state.put(SAMPLE_FAILED)
