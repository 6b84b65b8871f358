"""The channels and statuses of dossiers, as the national portal numbers them."""

from shared.codes.enum_names import NamedIntEnum


class Channel(NamedIntEnum):
    """KenhThucHien, the channel through which a dossier was filed."""

    DESK = 1
    ONLINE = 2
    POST = 3

    @property
    def slug(self) -> str:
        return self.name.lower()

    @property
    def label(self) -> str:
        """The name as published."""
        return _CHANNEL_LABELS[self]


class DossierStatus(NamedIntEnum):
    """TrangThaiHoSo, the ten statuses of the national portal."""

    REGISTERED = 1
    RECEIVED = 2
    NOT_RECEIVED = 3
    PROCESSING = 4
    SUPPLEMENT_REQUESTED = 5
    PAYMENT_REQUIRED = 6
    WITHDRAWN = 7
    STOPPED = 8
    PROCESSED = 9
    RETURNED = 10

    @property
    def slug(self) -> str:
        return self.name.lower()

    @property
    def label(self) -> str:
        """The name as published."""
        return _STATUS_LABELS[self]


# The agency has ended its work; in PROCESSED only the result is still to be fetched.
ENDED = frozenset(
    {
        DossierStatus.NOT_RECEIVED,
        DossierStatus.WITHDRAWN,
        DossierStatus.STOPPED,
        DossierStatus.PROCESSED,
        DossierStatus.RETURNED,
    }
)

_CHANNEL_LABELS = {
    Channel.DESK: "Trực tiếp",
    Channel.ONLINE: "Trực tuyến",
    Channel.POST: "Dịch vụ bưu chính",
}

_STATUS_LABELS = {
    DossierStatus.REGISTERED: "Mới đăng ký",
    DossierStatus.RECEIVED: "Được tiếp nhận",
    DossierStatus.NOT_RECEIVED: "Không được tiếp nhận",
    DossierStatus.PROCESSING: "Đang xử lý",
    DossierStatus.SUPPLEMENT_REQUESTED: "Yêu cầu bổ sung giấy tờ",
    DossierStatus.PAYMENT_REQUIRED: "Yêu cầu thực hiện nghĩa vụ tài chính",
    DossierStatus.WITHDRAWN: "Công dân yêu cầu rút hồ sơ",
    DossierStatus.STOPPED: "Dừng xử lý",
    DossierStatus.PROCESSED: "Đã xử lý xong",
    DossierStatus.RETURNED: "Đã trả kết quả",
}
