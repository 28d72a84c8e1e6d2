"""Styles that the theme cannot express: sizes, contrast of at least 4.5:1, narrow screens.

`.streamlit/config.toml` holds the theme. Streamlit fades captions, labels of disabled widgets and a slider's value below the
contrast that WCAG AA asks of text; here they get the colours of `lawlib.figures.palette`, which are tested for it.
"""

from __future__ import annotations

import streamlit as st

from lawlib import figures
from lawlib.figures import ink

_CSS = """<style>
[class*="st-key-answer"] p.live-answer {display: none; margin: 0;}
html[data-live] [class*="st-key-answer"] p.live-answer {display: block;}
html[data-live] [class*="st-key-answer"]:has(p.live-answer) {display: grid;}
html[data-live] [class*="st-key-answer"]:has(p.live-answer) > * {grid-area: 1 / 1;}
html[data-live] [class*="st-key-answer"] [data-testid="stMarkdown"] {visibility: hidden;}
html[data-live] .st-key-below_answer {opacity: 0.4;}
.live-answer .note {color: WARN;}
[class*="st-key-answer"] p.live-answer, [class*="st-key-answer"] [data-testid="stMarkdownContainer"] p {font-size: 1.15rem; line-height: 1.55; max-width: 62rem;}
[class*="st-key-answer"] strong {font-variant-numeric: tabular-nums;}
[data-testid="stMainBlockContainer"] {padding: 4.25rem 2.5rem 4rem;}
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {opacity: 1; color: MUTED;}
[data-testid="stMarkdownContainer"] table {font-size: 0.85rem; font-variant-numeric: tabular-nums;}
[data-testid="stMarkdownContainer"]:has(table) {overflow-x: auto;}
[data-testid="stMarkdownContainer"] :is(td, th) {padding: 0.3rem 0.45rem;}
[data-testid="stMarkdownContainer"] td[style*="right"] {white-space: nowrap;}
[data-testid="stCaptionContainer"] .stMarkdownColoredText {opacity: 1;}
.katex-display {overflow: visible !important;}
.katex-display > .katex {white-space: normal;}
.katex-display > .katex > .katex-html > .base {margin: 0.2em 0;}
.st-key-health [data-testid="stAlertContainer"] {padding: 0.5rem 0.75rem;}
.st-key-health [data-testid="stAlertContainer"] p {font-size: 0.9rem; line-height: 1.45;}
.st-key-menu {border-bottom: 1px solid BORDER; padding-bottom: 1rem;}
.st-key-menu a {margin: 0; padding-top: 0.2rem; padding-bottom: 0.2rem;}
.st-key-menu a:focus-visible {outline: 2px solid TEXT; outline-offset: -2px;}
.st-key-menu [data-testid="stPageLink"] {margin-bottom: 0.1rem;}
.st-key-menu [data-testid="stCaptionContainer"] {padding: 0.75rem 0 0.15rem;}
.chart {contain: content;}
.chart-title {font-weight: 600; line-height: 1.5; min-height: 2.5rem; padding: 0.5rem 4rem 0.5rem 0;}
[class*="st-key-csv_"] {align-self: flex-end; width: auto; margin-bottom: -3.5rem; z-index: 1;}
.st-key-head + [data-testid="stElementContainer"] {margin-top: -0.6rem;}
[class*="_off"] [data-testid="stMarkdownContainer"] p {opacity: 1; color: MUTED;}
[data-testid="stSliderThumbValue"] p, [data-testid="stSliderTickBar"] p, button[data-selected="true"] p {color: TEXT;}
/* Streamlit writes this CSV in the browser as the cells are, also where one begins like a formula; the app's own go through safe_csv. */
[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) {display: none;}
@media (max-width: 1200px) {
  [data-testid="stMainBlockContainer"] {padding: 4.25rem 1.5rem 4rem;}
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .chart) {flex-wrap: wrap;}
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .chart) > [data-testid="stColumn"] {min-width: 100%;}
}
@media (max-width: 1000px) {
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] :is(.stDataFrame, .st-key-health)) {flex-wrap: wrap;}
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] :is(.stDataFrame, .st-key-health)) > [data-testid="stColumn"],
  .st-key-welcome [data-testid="stColumn"] {min-width: 100%;}
  .st-key-welcome [data-testid="stHorizontalBlock"] {flex-wrap: wrap;}
}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] {padding: 4.25rem 0.75rem 3rem;}
  [class*="st-key-answer"] p.live-answer, [class*="st-key-answer"] [data-testid="stMarkdownContainer"] p {font-size: 1.05rem;}
  .st-key-head {flex-wrap: wrap; row-gap: 0;}
  [data-testid="stMainBlockContainer"] h1 {font-size: 1.4rem;}
}
</style>"""


def apply() -> None:
    """Puts the styles into the page, in the colours of its theme."""
    style = figures.style(st.context.theme.type)
    colors = {"MUTED": style.muted, "BORDER": style.grid, "TEXT": style.text, "WARN": ink(style.accent, style)}
    css = _CSS
    for name, color in colors.items():
        css = css.replace(name, color)
    st.html(css)
