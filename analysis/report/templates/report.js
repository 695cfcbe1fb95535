"use strict";
// Draws the page's charts, one after another so that the page stays responsive, and fits them to screen or paper.
(async () => {
  const { specs, charts } = JSON.parse(document.getElementById("charts").textContent);
  const views = new Map();

  // A specification is shared by all charts of its shape: data, values and height are those of the chart.
  const complete = ({ spec, datasets, values, height }) => {
    const shape = specs[spec];
    const params = Object.entries(values).map(([name, value]) => ({ name, value }));
    return { ...shape, ...(height && { height }), params: [...params, ...(shape.params ?? [])], datasets };
  };

  const draw = async (chart) => {
    const { id } = chart;
    const element = document.getElementById(id);
    try {
      const { view } = await vegaEmbed(element, complete(chart), {
        actions: false,
        ast: true, // expressions are interpreted, since the content policy forbids code made from text
        defaultStyle: false,
        logLevel: 1, // errors only: it warns of layers without data, such as the line of no chosen member
        renderer: "svg",
        tooltip: { disableDefaultStyle: true },
      });
      views.set(id, view);
    } catch (error) {
      element.textContent = "This chart could not be drawn. Its figures are in the tables below.";
      console.error(error);
    }
  };

  for (const chooser of document.querySelectorAll("[data-for]")) {
    const buttons = [...chooser.querySelectorAll("button")];
    let chosen = -1;
    const show = (place) => views.get(chooser.dataset.for)?.signal("picked", place).runAsync();
    for (const button of buttons) {
      const place = Number(button.dataset.place);
      button.addEventListener("click", () => {
        chosen = chosen === place ? -1 : place;
        for (const each of buttons) each.setAttribute("aria-pressed", String(Number(each.dataset.place) === chosen));
        show(chosen);
      });
      button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(place));
      button.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && show(chosen));
    }
  }

  // Paper is narrower than most screens, and a chart cannot be drawn again once printing has begun.
  addEventListener("beforeprint", () => {
    for (const [id, view] of views) {
      const narrow = document.getElementById(id).closest(".card") !== null;
      view.width(narrow ? 210 : 660).run();
    }
  });
  addEventListener("afterprint", () => dispatchEvent(new Event("resize")));

  for (const chart of charts) {
    await draw(chart);
    await new Promise((resume) => setTimeout(resume));
  }
  document.documentElement.dataset.drawn = String(views.size);
})();
