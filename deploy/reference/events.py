"""The page of all events on the axis."""

from inspect import cleandoc

from deploy.reference.markdown import Page, Part, quote_codes
from deploy.reference.texts import Texts
from shared.events import EVENTS, OWNERS, Event


def build_events_page(texts: Texts) -> Page:
    text = texts.say(
        "The facts that the services publish. `deploy/schemas/asyncapi.json` describes topics,"
        " headers and proofs, `deploy/schemas/events/` each content as JSON Schema. An event holds"
        " no personal data and no free text."
    )
    head = [texts.say(word) for word in ("event", "it states", "key", "fields")]
    topics = sorted({event.topic for event in EVENTS.values()})
    parts = [
        Part(
            topic,
            f"`{topic}`",
            texts.say("The only publisher is `{owner}`.").format(owner=OWNERS[topic]),
            head,
            [
                _describe_event(name, texts)
                for name in sorted(EVENTS)
                if EVENTS[name].topic == topic
            ],
        )
        for topic in topics
    ]
    return Page(texts.say("All events"), text, parts)


def _describe_event(name: str, texts: Texts) -> list[str]:
    event = EVENTS[name]
    fields = [field for field in event.model_fields if field != event.key]
    return [f"`{name}`", texts.explain("events", name), f"`{event.key}`", quote_codes(fields)]


def read_docstring(event: type[Event]) -> str:
    return cleandoc(event.__doc__ or "").partition("\n\n")[0]
