"""A file of procedures is read to its end, whatever stands in one of its lines."""

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from dossier_service.catalogue.portal_import.reader import Readable, read_published
from dossier_service.catalogue.procedure import Procedure
from tests.dossier_service.catalogue.portal_import.test_reader import published_line
from tests.fuzz.texts import JSON, NEARLY

WAYS = st.lists(
    st.fixed_dictionaries(
        {
            "channel": st.sampled_from(["Trực tiếp", "Trực tuyến", "?"]),
            "text": st.from_regex(
                r"[0-9]{0,40}([.,][0-9]+)? ?(Ngày làm việc|Tháng|Giờ)?[0-9,.]{0,50} ?"
                r"(Việt Nam Đồng|USD|Miễn phí)?[()]{0,3}",
                fullmatch=True,
            )
            | st.text(max_size=30),
        }
    ),
    max_size=3,
)
PUBLISHED = st.one_of(
    st.binary(max_size=80),
    JSON.map(orjson.dumps),
    st.builds(published_line, channels=WAYS),
    st.builds(published_line, name=st.text(min_size=1), decision=st.text(), competent=st.text()),
    st.dictionaries(
        st.sampled_from(["code", "owner", "level", "subjects", "result_codes", "documents_text"]),
        JSON | NEARLY | st.lists(NEARLY, max_size=3),
    ).map(lambda changes: published_line(**changes)),
)


@given(lines=st.lists(PUBLISHED, min_size=1, max_size=4))
@example(lines=[b"\xff", published_line(name="a\0b"), b"[" * 100_000, published_line()])
@example(lines=[published_line(channels=[{"channel": "?", "text": "9" * 5000 + " Ngày"}])])
def test_each_published_line_is_a_procedure_that_can_be_kept_or_refused(
    lines: list[bytes],
) -> None:
    entries = list(read_published(lines))
    assert [entry.line for entry in entries] == list(range(1, len(lines) + 1))
    for entry in entries:
        if isinstance(entry, Readable):
            kept = entry.procedure.model_dump_json()
            assert "\\u0000" not in kept
            assert Procedure.model_validate_json(kept) == entry.procedure
