"""One stock of places or bytes, divided fairly among its holders."""

from collections import defaultdict


class StockTaken(Exception):  # noqa: N818 -- a fact about the stock, no error of ours
    """Nothing, or too little, is free for anybody."""


class ShareTaken(Exception):  # noqa: N818 -- a fact about one holder, no error of ours
    """The holder has as much as it may have beside what is free for others."""


class Shares:
    """Let each holder have at most `share` times as much as is free.

    With a share of a half, one holder alone gets a third of the stock, and of ten each still gets
    a twelfth: something is always left for the next. The first piece is given while anything fits.
    """

    def __init__(self, total: int, share: float = 0.5) -> None:
        self._total, self._share = total, share
        self._held: defaultdict[str, int] = defaultdict(int)
        self.taken = 0

    def take(self, holder: str, amount: int = 1) -> None:
        """Raise StockTaken or ShareTaken where `holder` may not have so much more now."""
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
