"use strict";
/* What the parts of the script share: words, colours of the screen, and the figures' own data. */
const tonnage = {
  figure: (name) => JSON.parse(document.querySelector(`[data-figure="${name}"]`).textContent),
};
(() => {
  const twins = JSON.parse(document.getElementById("dark-twins").textContent);
  const darkScreen = window.matchMedia("screen and (prefers-color-scheme: dark)");
  const root = document.documentElement;
  const plots = [...document.querySelectorAll("[data-plot]")];
  const PAPER_WIDTH_PX = 640; /* of a figure on A4 and on Letter; a half figure has HALF_PAPER_PX */
  const HALF_PAPER_PX = 300;
  const PAPER_ZOOM = 0.78; /* figures are drawn larger and printed smaller, so that more of them share a page */
  const TOP_PX = 10;
  const TITLE_PX = 54; /* the page writes the title itself: what the figure kept for it, less TOP_PX */
  let onPaper = false;

  /* A figure's JSON with every colour swapped for its dark twin, when the screen is dark. */
  const colored = (value) => {
    if (typeof value === "string") {
      if (twins[value]) return twins[value];
      return value.includes("color:#") ? value.replace(/#[0-9a-f]{6}/g, (hex) => twins[hex] || hex) : value;
    }
    if (Array.isArray(value)) return value.map(colored);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, colored(part)]));
    }
    return value;
  };

  const draw = (plot) => {
    let figure = tonnage.figure(plot.dataset.plot);
    figure.layout.template = template;
    if (darkScreen.matches && !onPaper) figure = colored(figure);
    const layout = figure.layout;
    const paper = Math.floor((plot.closest(".half") ? HALF_PAPER_PX : PAPER_WIDTH_PX) / PAPER_ZOOM);
    plot.style.zoom = onPaper ? PAPER_ZOOM : "";
    const width = onPaper ? paper : plot.clientWidth;
    const narrow = width < 520;
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.autosize = false;
    layout.margin = Object.assign({ l: 12, r: 16, b: 48 }, layout.margin, { t: TOP_PX });
    layout.height -= TITLE_PX;
    figure.data.forEach((trace) => trace.name && (trace.name = words(trace.name, (width - 70) / 6.8)));
    if (layout.showlegend !== false) layout.height += LEGEND_LINE_PX * (legendLines(figure.data, width - 60) - 1);
    layout.dragmode = false;
    if (narrow) figure.data.forEach((trace) => trace.type === "heatmap" && trace.textfont && (trace.textfont.size = 10));
    wrapRows(figure, width - 28);
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis/.test(key)) {
        layout[key].fixedrange = true;
        if (narrow && key[0] === "x" && layout[key].tickvals && layout[key].tickvals.length > 4) thin(layout[key]);
      }
    }
    plot.style.height = `${layout.height}px`;
    layout.width = width;
    plot.dataset.width = width;
    plot.dataset.dark = String(darkScreen.matches);
    return Plotly.react(plot, figure.data, layout, { responsive: false, displaylogo: false, displayModeBar: false }).then(() => {
      plot.dataset.drawn = figure.data.length;
    });
  };

  /* Row names that are longer than a narrow screen go on in further lines, and their rows grow by as much. */
  const LINE_PX = 17;
  const length = (text) => text.replace(/<[^>]*>/g, "").replace(/&\w+;/g, "x").length;
  const joined = (parts, longest) => {
    const lines = [];
    let line = "";
    for (const part of parts) {
      if (line && length(line + part) > longest) {
        lines.push(line);
        line = part.replace(/^(  | · | )/, "");
      } else line += part;
    }
    return [...lines, line];
  };
  const words = (text, longest) => (length(text) > longest ? joined(text.split(/(?= )(?![^<]*>)/), longest).join("<br>") : text);
  /* A line ends between a name and its note, then between the parts of the note; within them only where one alone is too long. */
  const wrapped = (text, longest) => joined(text.split(/(?=  <span| · )/), longest).map((part) => words(part, longest)).join("<br>");
  const wrapRows = ({ data, layout }, width) => {
    const rows = (layout.annotations || []).filter((note) => note.xref === "paper" && note.x === 0 && note.yref !== "paper");
    rows.forEach((note) => (note.text = wrapped(note.text, width / 6.5)));
    const added = rows.map((note) => note.text.split("<br>").length - 1);
    const most = Math.max(0, ...added);
    if (!most) return;
    layout.height += most * LINE_PX * (rows.length + 0.25);
    const heat = data.find((trace) => trace.type === "heatmap");
    if (heat) heat.ygap += most * LINE_PX;
    const bar = heat ? 0 : most * LINE_PX * 0.15; /* a bar grows with its row, a cell does not */
    rows.forEach((note, i) => (note.yshift += added[i] * LINE_PX * 0.5 + bar));
  };

  /* How many lines the legend takes: what it takes more than one, the figure grows by. */
  const LEGEND_LINE_PX = 21;
  const legendLines = (data, width) => {
    const names = data.filter((trace) => trace.showlegend !== false && trace.name).map((trace) => trace.name.split("<br>"));
    const widest = Math.max(0, ...names.flat().map(length)) * 7 + 48;
    const columns = Math.max(1, Math.floor(width / widest));
    const lines = Math.max(1, ...names.map((name) => name.length)); /* a row of the legend is as high as the highest name in it */
    return Math.max(1, Math.ceil(names.length / columns) * lines);
  };

  /* Every second tick on a narrow screen. */
  const thin = (axis) => {
    axis.tickvals = axis.tickvals.filter((_, i) => i % 2 === 0);
    axis.ticktext = axis.ticktext.filter((_, i) => i % 2 === 0);
  };

  /* The library is packed: it is unpacked once the first screen is there. */
  const packed = document.getElementById("plotly");
  const held = document.getElementById("template");
  const template = held && JSON.parse(held.textContent);
  const unpack = async () => {
    const bytes = Uint8Array.from(atob(packed.textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    packed.remove();
  };

  /* What comes into view is drawn first; the rest follows one by one, so that the page stays responsive. What is folded away waits. */
  const waiting = new Set();
  const isFolded = (plot) => !onPaper && Boolean(plot.closest("details:not([open])"));
  const failed = (plot) => (fault) => console.error(`figure ${plot.dataset.plot}: ${fault}`); /* one figure's fault is not the others' */
  const drawOnce = (plot) =>
    new Promise((done) => done(waiting.delete(plot) && !isFolded(plot) ? draw(plot) : undefined)).catch(failed(plot));
  const watch = new IntersectionObserver((seen) => seen.forEach((entry) => entry.isIntersecting && drawOnce(entry.target)), {
    rootMargin: "400px",
  });
  const later = window.requestIdleCallback || ((work) => setTimeout(work, 30));
  let ready = !packed;
  let isBusy = false;
  const drawNext = () => {
    const [plot] = waiting;
    if (plot) return void drawOnce(plot).then(() => later(drawNext));
    isBusy = false;
    root.dataset.figures = "drawn";
  };
  const want = (some) => {
    if (!ready) return;
    some.filter((plot) => !isFolded(plot)).forEach((plot) => {
      waiting.add(plot);
      watch.unobserve(plot); /* observed anew, it tells at once whether it is in view */
      watch.observe(plot);
    });
    if (isBusy) return;
    isBusy = true;
    root.dataset.figures = "drawing";
    later(drawNext);
  };
  const begin = () => ((ready = true), want(plots));
  const cannot = () => plots.forEach((plot) => {
    plot.textContent = "This browser cannot unpack the figures; the numbers stand in the tables.";
    plot.style.height = "auto";
  });
  if (packed) setTimeout(() => (window.DecompressionStream ? unpack().then(begin) : cannot()), 0);
  else if (template) begin();
  else root.dataset.figures = "drawn";

  /* Drawn never, at another width, or in the colours of another screen: what was folded away meanwhile did not follow. */
  const isStale = (plot) =>
    !plot.dataset.drawn || Number(plot.dataset.width) !== plot.clientWidth || plot.dataset.dark !== String(darkScreen.matches);
  document.querySelectorAll("details.fold").forEach((fold) => fold.addEventListener("toggle", () => {
    if (fold.open) want(plots.filter((plot) => fold.contains(plot) && isStale(plot)));
  }));
  darkScreen.addEventListener("change", () => want(plots));
  /* Names wrap and ticks thin out by the width: a figure of another width is another figure. */
  let settling;
  window.addEventListener("resize", () => {
    if (onPaper) return;
    clearTimeout(settling);
    settling = setTimeout(() => want(plots.filter((plot) => plot.dataset.drawn && Number(plot.dataset.width) !== plot.clientWidth)), 120);
  });
  let opened = [];
  const turn = (toPaper) => {
    onPaper = toPaper;
    if (toPaper) opened = [...document.querySelectorAll("details.alone:not([open])")];
    opened.forEach((details) => (details.open = toPaper));
    waiting.clear();
    if (ready) plots.filter((plot) => !isFolded(plot)).forEach((plot) => drawOnPaper(plot));
  };
  const drawOnPaper = (plot) => {
    try { draw(plot); } catch (fault) { failed(plot)(fault); }
  };
  window.addEventListener("beforeprint", () => turn(true));
  window.addEventListener("afterprint", () => turn(false));

  /* A link to a number's explanation opens it. */
  const openTarget = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    if (target.tagName === "DETAILS" || target.tagName === "TR") {
      target.open = true;
      target.scrollIntoView({ block: "center" });
      const first = target.querySelector("summary");
      if (first) first.focus({ preventScroll: true });
    }
  };
  window.addEventListener("hashchange", openTarget);
  openTarget();

  /* The table of contents shows where one is. */
  const links = [...document.querySelectorAll(".contents a")];
  const places = links.map((link) => document.querySelector(link.getAttribute("href")));
  const mark = () => {
    const line = window.innerHeight * 0.3;
    let here = 0;
    places.forEach((place, i) => place && place.getBoundingClientRect().top < line && (here = i));
    links.forEach((link, i) => (i === here ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    const bar = links[here].closest(".contents");
    if (bar.scrollWidth > bar.clientWidth) bar.scrollTo({ left: links[here].offsetLeft - bar.clientWidth / 3 });
    else if (bar.scrollHeight > bar.clientHeight) bar.scrollTo({ top: links[here].offsetTop - bar.clientHeight / 3 });
  };
  let pending = false;
  window.addEventListener("scroll", () => {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => ((pending = false), mark()));
  }, { passive: true });
  mark();
})();
