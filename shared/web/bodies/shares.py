"""Divide a stock of places or bytes fairly among its holders."""

from collections import defaultdict


class StockTaken(Exception):  # noqa: N818 -- a fact about the stock, no error of ours
    """Too little of the stock is free."""


class ShareTaken(Exception):  # noqa: N818 -- a fact about one holder, no error of ours
    """The holder already has its share of the stock."""


class Shares:
    """A stock of which each holder takes at most `share` times the free rest.

    With a share of a half, one holder alone gets a third of the stock and each of ten a twelfth,
    so a part always stays free for the next holder. The first piece of a holder is granted
    whenever it fits.
    """

    def __init__(self, total: int, share: float = 0.5) -> None:
        self._total, self._share = total, share
        self._held: defaultdict[str, int] = defaultdict(int)
        self.taken = 0

    def take(self, holder: str, amount: int = 1) -> None:
        """Take `amount` for `holder`; raise StockTaken or ShareTaken."""
        free = self._total - self.taken
        if amount > free:
            raise StockTaken
        held = self._held[holder]
        if held and held + amount > self._share * (free - amount) + 1:
            raise ShareTaken
        self._held[holder] = held + amount
        self.taken += amount

    def give_back(self, holder: str, amount: int = 1) -> None:
        self.taken -= amount
        left = self._held[holder] - amount
        if left:
            self._held[holder] = left
        else:
            del self._held[holder]
