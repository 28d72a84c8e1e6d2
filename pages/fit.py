"""Fit: the coefficients, how sure they are, and what speaks against trusting them."""

import streamlit as st

import ui
from lawlib import figures, numbers
from lawlib.fitting import Fit
from ui.laws import fit_page

ui.begin("Fit", "What are the coefficients, how sure are they, and does the law predict runs it has not seen?")
choice = ui.choose()
law, samples = choice.law, choice.samples
place = st.container()
table = fit_page.coefficients(choice)

if not isinstance(law, Fit):
    with place:
        ui.answer(
            f"**{law.name}** is published with {len(table)} coefficients; the intervals are their print rounding.",
            choice.notice,
            "" if samples else "This set is not printed anywhere: it has no rounding.",
            ui.facts(law),
            law.source.note if law.source else "",
        )
    st.latex(law.law.formula)
    fit_page.coefficient_table(table)
    ui.finish()
    st.stop()

findings = ui.health(law)
warnings = [f for f in findings if f.severity == "warning"]
with place:
    ui.answer(
        f"The **{law.law.title}** law holds **{len(law.fit.runs)} runs** to **{law.rmse:.2%}** of the loss (rms) and is "
        f"**{law.status}**; {law.fit.n_agreeing} of {law.fit.n_starts} starts agree. "
        + (f"**{len(warnings)} warning{'s' * (len(warnings) > 1)}** below." if warnings else "Nothing is held against it."),
        ui.facts(law),
        fit_page.seed_caption(law.fit.runs),
    )
    st.latex(law.law.formula)

left, right = st.columns([3, 2])
with left:
    st.markdown("**Coefficients**")
    fit_page.coefficient_table(table)
    if samples is not None:
        st.caption(f"Intervals: 95 %, {samples.label}, {len(samples)} refits of {len(law.fit.runs)} runs. {law.law.paper}.")
    fit_page.pull_table(law)
with right:
    fit_page.health_card(findings)

style = ui.style()
axis = fit_page.axis_menu(law.fit.runs)
left, right = st.columns(2)
with left:
    figure = figures.residual_figure(law.fit.runs, law.fit.residuals, style, axis)
    ui.chart(figure, "residuals", "Residuals", law.fit.runs.assign(residual=law.fit.residuals))
with right:
    predicted = law.predict(law.fit.runs)
    figure = figures.prediction_figure(law.fit.runs, predicted, style)
    ui.chart(figure, "predicted", "Predicted against measured", law.fit.runs.assign(predicted=predicted))

st.subheader("Backtest: fitted below a compute cut, judged above it", anchor=False)
test = fit_page.backtest(law)
if test is not None:
    summary = test.summary
    best = summary[summary["error"] == ""].sort_values("rmse_test").head(1)
    if len(best):
        row = best.iloc[0]
        ui.answer(
            f"Fitted up to **{numbers.flops(test.cut)} FLOPs**, the {row['law']} law misses the {row['n_test']:.0f} runs above by "
            f"**{row['rmse_test']:.2%}** (rms) with a bias of **{row['bias_nats']:+.3f} nats**; **{row['coverage']:.0%}** of them lie in "
            "its 90 % band.",
            key="answer_backtest",
        )
        ui.chart(figures.backtest_figure(test.points, test.cut, style), "backtest", "Held-out runs", test.points)
    fit_page.backtest_table(summary)
ui.finish()
