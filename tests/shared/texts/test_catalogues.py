"""A text is shown in the language of its reader, with the values of the call."""

from shared.texts.catalogues import translate_members, translate_text
from shared.texts.languages import Language
from shared.texts.translatable import Translatable

EN, VI = Language.ENGLISH, Language.VIETNAMESE
WAIT = Translatable("{count:g} seconds", count=2.0)
FIELD = Translatable("Field required")


def test_text_without_a_language_is_english() -> None:
    assert WAIT == "2 seconds"
    assert translate_text(WAIT, EN) == "2 seconds"


def test_values_stand_in_the_translation() -> None:
    assert translate_text(WAIT, VI) == "2 giây"


def test_value_that_is_a_text_is_translated_too() -> None:
    busy = Translatable(
        "The {service} service is at its limit; nothing was done. Try again in {wait}.",
        service="dossier",
        wait=WAIT,
    )
    assert translate_text(busy, VI).endswith("Hãy thử lại sau 2 giây.")
    assert "dossier" in translate_text(busy, VI)


def test_joined_texts_are_translated_each() -> None:
    joined = Translatable.join_texts([FIELD, "a {brace}", WAIT], "; ")
    assert joined == "Field required; a {brace}; 2 seconds"
    assert translate_text(joined, VI) == "Trường bắt buộc; a {brace}; 2 giây"


def test_value_with_braces_is_no_template() -> None:
    assert translate_text(Translatable("pattern {pattern}", pattern="^[0-9]{4}$"), VI) == (
        "mẫu ^[0-9]{4}$"
    )


def test_template_without_values_is_literal() -> None:
    advice = "GET /identity/v1/clients/{client_id} lists the keys of the client."
    assert Translatable(advice) == advice
    assert "{client_id}" in translate_text(Translatable(advice), VI)


def test_text_that_no_catalogue_has_stays_english() -> None:
    assert translate_text(Translatable("Nobody wrote {what}", what="this"), VI) == (
        "Nobody wrote this"
    )


def test_only_texts_for_persons_are_translated_in_content() -> None:
    content = {"title": FIELD, "known": ["Field required"], "errors": [{"is": FIELD}], "count": 1}
    assert translate_members(content, VI) == {
        "title": "Trường bắt buộc",
        "known": ["Field required"],
        "errors": [{"is": "Trường bắt buộc"}],
        "count": 1,
    }
    assert translate_members(content, EN) is content
