"""How plots look in every lab: white ground, large letters, colours for all eyes."""

import plotly.graph_objects as go


def dressed(figure: go.Figure, height: int) -> go.Figure:
    """White ground, large letters, legend below: for the last row of a lecture hall and for a telephone."""
    axis = {"gridcolor": "#e6e8ee", "zerolinecolor": "#aab0bd", "linecolor": "#aab0bd", "automargin": True}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="white",
        font={"size": 15, "color": INK},
        height=height,
        margin={"l": 10, "r": 14, "t": 14, "b": 10},
        legend={"orientation": "h", "yanchor": "top", "y": -0.13, "xanchor": "center", "x": 0.5},
        hoverlabel={"font": {"size": 14}},
    )
    return figure


def colour(number: int) -> str:
    """The colour of a row by its place in its table; from Okabe and Ito, for colour-blind eyes."""
    return COLOURS[number % len(COLOURS)]


INK = "#222833"
COLOURS = (
    "#d55e00",
    "#0072b2",
    "#8c564b",
    "#e69f00",
    "#cc79a7",
    "#009e73",
    "#7fc8a9",
    "#005f45",
    "#56b4e9",
    "#6a3d9a",
    "#999999",
    "#b8b000",
)
