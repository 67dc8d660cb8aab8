"""The picture of a run for the README, and curves for docs/performance.md: SVG, written by hand."""

import math
from collections.abc import Sequence
from html import escape

_WIDTH, _LABELS, _ROW, _TITLE = 860, 210, 26, 44
_OURS, _OTHERS, _INK, _PALE = "#c15f3c", "#8a94a6", "#1f2328", "#d8dee4"
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
Bars = tuple[str, str, Sequence[tuple[str, float]]]


def bar_picture(panels: Sequence[Bars], ours: str, foot: str) -> str:
    """Return panels of bars, each (title, form of a value, names and values); ours stand out."""
    parts: list[str] = []
    top = 16
    for title, form, bars in panels:
        parts.append(_text(16, top + 18, title, weight=600, size=15))
        most = max(value for _, value in bars)
        for number, (name, value) in enumerate(sorted(bars, key=lambda bar: bar[1], reverse=True)):
            y = top + _TITLE - 12 + number * _ROW
            length = max(2.0, (_WIDTH - _LABELS - 130) * value / most)
            colour = _OURS if name.startswith(ours) else _OTHERS
            parts.append(_text(_LABELS - 8, y + 14, name, anchor="end"))
            parts.append(
                f'<rect x="{_LABELS}" y="{y + 2}" width="{length:.1f}" height="{_ROW - 9}" rx="2" fill="{colour}"/>'
            )
            parts.append(_text(_LABELS + length + 8, y + 14, form.format(value)))
        top += _TITLE + len(bars) * _ROW + 8
    parts.append(_text(16, top + 10, foot, size=11))
    return _svg(_WIDTH, top + 26, "".join(parts))


Curve = tuple[str, Sequence[tuple[float, float]]]


def curve_picture(title: str, across: str, up: str, curves: Sequence[Curve]) -> str:
    """Return curves over a logarithmic axis, upwards from zero, with a point at each value measured."""
    width, height, left, right, top, bottom = 640, 300, 70, 170, 44, 46
    points = [point for _, curve in curves for point in curve]
    low, high = math.log10(min(x for x, _ in points)), math.log10(max(x for x, _ in points))
    most = max(y for _, y in points) * 1.1 or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - low) / ((high - low) or 1)
        return left + share * (width - left - right), height - bottom - y / most * (height - top - bottom)

    parts = [_text(16, 24, title, weight=600, size=15)]
    for step in range(5):
        value = most * step / 4
        _, y = place(10**low, value)
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_PALE}"/>')
        parts.append(_text(left - 6, y + 4, _short(value), anchor="end", size=11))
    for x in sorted({x for x, _ in points}):
        parts.append(_text(place(x, 0)[0], height - bottom + 16, _short(x), anchor="middle", size=11))
    parts.append(_text((left + width - right) / 2, height - 10, across, anchor="middle", size=12))
    parts.append(_text(left - 54, top - 6, up, size=12))
    colours = (_OURS, "#4f6bab", "#5b8c5a", _OTHERS)
    for (name, curve), colour in zip(curves, colours, strict=False):
        places = [place(x, y) for x, y in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(_text(places[-1][0] + 10, places[-1][1] + 4, name, size=12, colour=colour))
    return _svg(width, height, "".join(parts))


def _short(value: float) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{unit}" if value % size == 0 else f"{value / size:.1f}{unit}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 13,
    weight: int = 400,
    colour: str = _INK,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
        f' fill="{colour}">{escape(text)}</text>'
    )


def _svg(width: int, height: int, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {_FONT}>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{content}</svg>\n'
    )
