"""The report as one printable page: no script, no address outside, every foreign character escaped.

`Markup` is text that is safe as it stands; everything else goes through `esc`. A page is built of these two only.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NewType

from agent.evidence.report import ClipPart, ConsentPart, Moment, Report, RequestPart

Markup = NewType("Markup", str)

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .25rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #bbb; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #e4e4e4; }
th { font-weight: 600; width: 13rem; }
thead th { width: auto; }
code { font: .8em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
video { width: 100%; max-height: 28rem; background: #000; margin: .5rem 0; }
.quote { white-space: pre-line; border-left: .25rem solid #bbb; padding-left: .75rem; margin: .5rem 0; }
.verdict { padding: .75rem 1rem; border: 2px solid; margin: 1rem 0; }
.yes { border-color: #17633a; }
.no { border-color: #a31621; }
.yes b:first-child { color: #17633a; }
.no b:first-child { color: #a31621; }
.small { font-size: .85rem; color: #555; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } video { display: none; } }
"""


def esc(text: object) -> Markup:
    """Escape anything for a place between tags or inside a quoted attribute."""
    return Markup(escape(str(text), quote=True))


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("".join(parts))


def _row(name: str, *values: Markup) -> Markup:
    cells = "<br>".join(values)
    return Markup(f"<tr><th>{esc(name)}</th><td>{cells}</td></tr>")


def _moment(moment: Moment) -> Markup:
    if moment.local.startswith(moment.utc):  # the report's zone is UTC: once is enough
        return esc(moment.utc)
    return Markup(f'{esc(moment.local)}<br><span class="small">{esc(moment.utc)}</span>')


def _ranges(numbers: Iterable[int]) -> str:
    """Say ascending numbers as a person would: "0 to 8, 11"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs)


def _gaps(missing: Sequence[int]) -> str:
    if not missing:
        return "none before the last segment"
    if len(missing) == 1:
        return f"number {missing[0]} of this recording is not in the bundle"
    return f"numbers {_ranges(missing)} of this recording are not in the bundle"


def _code(text: object) -> Markup:
    return Markup(f"<code>{esc(text)}</code>")


def _section(title: str, *parts: Markup) -> Markup:
    return Markup(f"<section><h2>{esc(title)}</h2>{_join(parts)}</section>")


def _list(items: Iterable[str]) -> Markup:
    return Markup(f"<ul>{_join(Markup(f'<li>{esc(item)}</li>') for item in items)}</ul>")


def _verdict(report: Report) -> Markup:
    if report.holds:
        what = "Everything that was judged holds."
        more = "Each claim below was checked on this machine, from the bundle alone."
    else:
        broken = [claim.name for claim in report.claims if not claim.holds]
        what = "Not everything holds."
        more = f"Don't rely on this footage before these are cleared: {', '.join(broken) or 'see below'}."
    mark = "yes" if report.holds else "no"
    problems = _list(report.problems) if report.problems else Markup("")
    return Markup(f'<div class="verdict {mark}"><b>{esc(what)}</b> {esc(more)}{problems}</div>')


def _request(request: RequestPart) -> Markup:
    corners = "; ".join(f"{lat:.5f}, {lon:.5f}" for lat, lon in request.area)
    rows = (
        _row("Asked by", Markup(f"<b>{esc(request.agency)}</b>"), *(esc(line) for line in request.agency_contact)),
        _row("Officer", esc(f"{request.officer}, badge {request.badge}")),
        _row("Case", esc(request.case)),
        _row("Incident", esc(request.incident)),
        _row("Footage from", _moment(request.first)),
        _row("Footage to", _moment(request.last)),
        _row("Area", esc(f"{request.area_m2:,} m²"), Markup(f'<span class="small">{esc(corners)}</span>')),
        _row("Asked on", _moment(request.issued)),
        _row("Moderated by", esc(request.platform)),
        _row("Request", _code(request.id), Markup(f'<span class="small">SHA-256</span> {_code(request.sha256)}')),
    )
    quote = Markup(f'<p class="quote">{esc(request.text)}</p>')
    return _section("Who asked, and for what", quote, Markup(f"<table>{_join(rows)}</table>"))


def _consent(consent: ConsentPart) -> Markup:
    contact = consent.contact or {}
    told = [esc(f"{name}: {value}") for name, value in contact.items()]
    rows = (
        _row("Approved by", esc(consent.by)),
        _row("Approved on", _moment(consent.at)),
        _row("Segments granted", esc(consent.segments)),
        *([_row("Contact that the owner gave", *told)] if told else []),
        _row("Consent", _code(consent.id), Markup(f'<span class="small">SHA-256</span> {_code(consent.sha256)}')),
    )
    return Markup(f"<table>{_join(rows)}</table>")


def _clip(number: int, clip: ClipPart) -> Markup:
    first, last = clip.segments[0], clip.segments[-1]
    film = (
        (_row("File", _code(clip.file)), _row("SHA-256 of the file", _code(clip.sha256)))
        if clip.file is not None
        else (_row("File", esc("could not be joined; see the single segments")),)
    )
    rows = (
        *film,
        _row("From", _moment(first.start)),
        _row("To", _moment(last.end)),
        _row("Started by", esc(clip.trigger)),
        _row("Picture", esc(f"{clip.size_px[0]} by {clip.size_px[1]} px, no sound")),
        _row("Gaps", esc(_gaps(clip.missing))),
        _row("Frames lost in recording", esc(sum(part.dropped_frames for part in clip.segments))),
        _row("Privacy zones blackened", esc(max(part.masked_zones for part in clip.segments))),
    )
    video = (
        Markup(f'<video controls preload="metadata" src="{esc(clip.file)}"></video>')
        if clip.file is not None
        else Markup("")
    )
    return _section(f"Clip {number}", video, Markup(f"<table>{_join(rows)}</table>"), _segments(clip))


def _segments(clip: ClipPart) -> Markup:
    head = "<thead><tr><th>No.</th><th>Start</th><th>Clock</th><th>File and hashes (SHA-256)</th></tr></thead>"
    rows = _join(
        Markup(
            f"<tr><td>{esc(part.n)}</td><td>{_moment(part.start)}</td><td>{esc(part.clock)}</td>"
            f"<td>{_code(part.file)}<br>film {_code(part.sha256_film)}"
            f"<br>sealed {_code(part.sha256_sealed)}</td></tr>"
        )
        for part in clip.segments
    )
    return Markup(f"<table>{head}<tbody>{rows}</tbody></table>")


def _claims(report: Report) -> Markup:
    rows = _join(
        _row(claim.name, Markup(f"<b>{'holds' if claim.holds else 'DOES NOT HOLD'}</b>"), esc(claim.text))
        for claim in report.claims
    )
    return _section("What was judged", Markup(f"<table>{rows}</table>"))


def render(report: Report) -> str:
    """Return the whole page."""
    case = "" if report.request is None else f", case {report.request.case}"
    received = (
        Markup("")
        if report.received is None
        else Markup(f"<table>{_row('Received by the platform', _moment(report.received))}</table>")
    )
    parts = (
        _verdict(report),
        Markup("") if report.request is None else _request(report.request),
        _section("The owner's yes", *(_consent(consent) for consent in report.consents), received)
        if report.consents
        else Markup(""),
        *(_clip(number, clip) for number, clip in enumerate(report.clips, 1)),
        _claims(report),
        _section("What this report can't show", _list((*report.not_judged, *report.cannot_show))),
        _section(
            "Where it comes from",
            Markup(
                f"<table>{_row('Device', _code(report.device or 'unknown'))}"
                f"{_row('SHA-256 of the submission', _code(report.submission_sha256 or 'unknown'))}</table>"
            ),
            esc("Whoever holds bundle and platform root can repeat this: doorbell verify BUNDLE --root ROOT"),
        ),
    )
    title = esc(f"Doorbell footage{case}")
    below = "" if report.time_zone == "UTC" else ", with UTC below each"
    zone = esc(f"Times are in {report.time_zone}{below}.")
    policy = "default-src 'none'; style-src 'unsafe-inline'; media-src 'self' file:"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f'<body><h1>{title}</h1><p class="small">{zone}</p>{_join(parts)}</body></html>\n'
    )
