"""A picture of curves on logarithmic axes, as SVG that is readable on light and on dark ground."""
import math
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 470, 350
# Of the room of a panel, beside the diagram itself.
LEFT, RIGHT, TOP, AXIS = 66, 38, 52, 46
LEGEND_LINE = 20
# Nothing is outside of these: 10 us to 100 s.
MS_MIN, MS_MAX = 0.01, 100_000
COLORS = {"Quorate": ("#0969da", "#1a7f37", "#8250df"), "yuma123": ("#bf8700",), "netopeer2": ("#cf222e",),
          "clixon": ("#bf3989",)}
DARK = {"#0969da": "#58a6ff", "#1a7f37": "#56d364", "#8250df": "#bc8cff", "#bf8700": "#e3b341", "#cf222e": "#ff7b72",
        "#bf3989": "#f778ba"}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; }
.small { fill: #59636e; }
.ground { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.curve { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.given { stroke-dasharray: 6 4; stroke-width: 1.75; }
"""
STYLE_DARK = "text { fill: #f0f6fc; } .small { fill: #9198a1; } .ground { fill: #0d1117; } .grid { stroke: #3d444d; }"


class Series(NamedTuple):
    """A curve: milliseconds by number of entries. What is given was not measured in this run."""

    name: str
    points: dict
    is_given: bool = False


def picture(panels):
    """One diagram beside the other, each with a title and its curves."""
    legend = max(len(curves) for _, curves in panels) * LEGEND_LINE + 12
    width, height = WIDTH * len(panels), HEIGHT + legend
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
             f'height="{height}" role="img" aria-label="How long one-entry writes take as the list grows">',
             f"<style>{STYLE}{classes(COLORS)}@media (prefers-color-scheme: dark) {{ {STYLE_DARK} {classes(DARK)} }}"
             "</style>", f'<rect class="ground" width="{width}" height="{height}"/>']
    for number, (title, curves) in enumerate(panels):
        lines.append(f'<g transform="translate({number * WIDTH} 0)">')
        lines += panel(title, curves, [size for _, each in panels for curve in each for size in curve.points])
        lines.append("</g>")
    return "\n".join([*lines, "</svg>"]) + "\n"


def classes(colors):
    """A class for each color: its own, or the one that it has in the dark."""
    names = [color for shades in COLORS.values() for color in shades]
    return "".join(f".c{names.index(name)} {{ stroke: {colors.get(name, name)}; }} "
                   f".d{names.index(name)} {{ fill: {colors.get(name, name)}; }} " for name in names)


def panel(title, curves, sizes):
    """A diagram, and the names of its curves below it."""
    least, most = math.log10(min(sizes)), math.log10(max(sizes))

    def x(size):
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(size) - least) / ((most - least) or 1)

    def y(ms):
        share = math.log10(ms / MS_MIN) / math.log10(MS_MAX / MS_MIN)
        return HEIGHT - AXIS - (HEIGHT - AXIS - TOP) * min(max(share, 0), 1)

    lines = [f'<text class="title" x="{LEFT}" y="24">One entry: {escape(title)}</text>',
             f'<text class="small" x="{LEFT}" y="42">median time, log scale</text>']
    for power in range(round(math.log10(MS_MIN)), round(math.log10(MS_MAX)) + 1):
        at = y(10.0 ** power)
        label = f"{10.0 ** power:g} ms" if power < 3 else f"{10 ** (power - 3)} s"
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(f'<text class="small" x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    for power in range(math.ceil(least), math.floor(most) + 1):
        at = x(10 ** power)
        lines.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - AXIS}"/>')
        lines.append(f'<text class="small" x="{at:.1f}" y="{HEIGHT - AXIS + 18}" text-anchor="middle">'
                     f"{10 ** power:,}</text>")
    lines.append(f'<text class="small" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - AXIS + 36}" '
                 'text-anchor="middle">entries in the list, log scale</text>')
    used = {}
    for number, curve in enumerate(curves):
        lines += drawn(curve, color(curve, used), [(x(size), y(ms)) for size, ms in sorted(curve.points.items())],
                       HEIGHT + 8 + number * LEGEND_LINE)
    return lines


def color(curve, used):
    """The number of the next color of its system."""
    system = curve.name.split(",")[0].split(" ")[0]
    shades = COLORS[system]
    used[system] = used.get(system, -1) + 1
    return [each for all_shades in COLORS.values() for each in all_shades].index(shades[used[system] % len(shades)])


def drawn(curve, shade, points, legend_y):
    """A curve with its points, and its line of the legend."""
    given = " given" if curve.is_given else ""
    path = " ".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(points))
    lines = [f'<path class="curve c{shade}{given}" d="{path}"/>']
    lines += [f'<circle class="d{shade}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points]
    lines.append(f'<path class="curve c{shade}{given}" d="M{LEFT} {legend_y} h30"/>')
    lines.append(f'<circle class="d{shade}" cx="{LEFT + 15}" cy="{legend_y}" r="3.5"/>')
    lines.append(f'<text x="{LEFT + 40}" y="{legend_y + 4}">{escape(curve.name)}</text>')
    return lines
