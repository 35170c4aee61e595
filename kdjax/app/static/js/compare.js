// The page that shows networks side by side on one image.

import { announce, bytes, choice, count, h, json, listed, look, mark, milliseconds, percent, plural, spoken } from "./dom.js";
import { sheet } from "./drawing.js";
import { PictureProblem, fromBitmap, readFile, show, showMap } from "./images.js";
import { prepare, run, time } from "./inference.js";

const ROWS = 12; // The largest number of classes that all have a bar.
const TOP = 5;
const TOLERANCE = 1e-4; // Of probabilities: float32 in another order of additions.
const FIRST_SHOWN = 4;

/** Fills the page for one run; returns a function that ends what goes on there. */
export async function showCompare(page, entry) {
  page.replaceChildren(h("h1", { id: "title-compare", tabindex: "-1" }, "Compare"));
  if (!entry.compare) {
    page.append(h("p", { class: "notice" }, `${entry.workdir} has no network to look at: ${entry.note}. See Live.`));
    return () => {};
  }
  prepare();
  const data = await json(`${entry.folder}/compare.json`);
  const response = await fetch(`${entry.folder}/${data.images.file}`);
  const pixels = new Uint8Array(await response.arrayBuffer());
  return new Compare(page, entry, data, pixels).end;
}

class Compare {
  constructor(page, entry, data, pixels) {
    Object.assign(this, { page, entry, data });
    const length = data.image_shape.reduce((a, b) => a * b);
    this.images = data.images.labels.map((label, i) => ({
      label,
      telling: i < data.images.telling,
      pixels: pixels.slice(i * length, (i + 1) * length),
    }));
    // Those of the draw first, the others last.
    this.order = [...this.images.keys()].sort((a, b) => this.images[a].telling - this.images[b].telling);
    this.threshold = 0.5;
    this.all = false;
    this.layers = new Set(data.layers);
    const final = data.networks.filter((network) => network.final);
    this.chosen = new Set((final.length ? final : data.networks).slice(0, FIRST_SHOWN));
    this.filter = "all";
    this.results = new Map();
    this.times = new Map();
    this.input = null;
    this.wanted = 0;
    this.stream = null;
    this.end = () => {
      this.wanted = -1;
      this.stopCamera();
      document.removeEventListener("paste", this.paste);
    };
    this.paste = (event) => {
      const file = [...event.clipboardData.files][0];
      if (file) this.upload(file);
    };
    document.addEventListener("paste", this.paste);
    this.build();
    this.select(this.order[0]);
  }

  build() {
    const { data, entry } = this;
    const [height, width, channels] = data.image_shape;
    const kind = channels === 1 ? "grey" : "colour";
    this.page.append(
      h("p", { class: "lead" }, `${entry.about}. ${entry.note}`.trim()),
      this.buildStrip(),
      h(
        "div",
        { class: "compare" },
        h(
          "section",
          { class: "card input", "aria-label": "Image" },
          (this.sources = choice(
            "Where the image comes from",
            [
              { value: "test", text: "Test image" },
              { value: "upload", text: "Upload" },
              { value: "camera", text: "Camera" },
              ...(data.drawing ? [{ value: "draw", text: "Draw" }] : []),
            ],
            "test",
            (value) => this.openSource(value),
          )),
          (this.body = h("div", { class: "source" })),
          (this.problem = h("p", { class: "problem", role: "alert", hidden: true })),
          (this.seen = h(
            "figure",
            { class: "seen" },
            (this.seenCanvas = h("canvas", { class: "pixels", role: "img", "aria-label": "The image as the networks see it" })),
            h("figcaption", {}, `The networks see ${height} × ${width} pixels, ${kind}.`),
          )),
          h(
            "p",
            { class: "small drop-hint" },
            "A picture can be dropped on this page, too, or pasted.",
          ),
        ),
        h(
          "section",
          { class: "answers", "aria-label": "Networks" },
          (this.verdict = h("p", { class: "verdict" }, "…")),
          this.buildControls(),
          (this.cards = h("div", { class: data.class_names.every((name) => name.length < 7) ? "cards short" : "cards" })),
        ),
      ),
    );
    this.page.ondragover = (event) => {
      event.preventDefault();
      this.page.classList.add("dragging");
    };
    this.page.ondragleave = (event) => {
      if (!this.page.contains(event.relatedTarget)) this.page.classList.remove("dragging");
    };
    this.page.ondrop = (event) => {
      event.preventDefault();
      this.page.classList.remove("dragging");
      const file = event.dataTransfer.files[0];
      if (file) this.upload(file);
    };
    this.buildCards();
  }

  // The strip.

  buildStrip() {
    this.filters = h("div");
    this.strip = h("div", { class: "strip", role: "listbox", "aria-label": "Test images", "aria-orientation": "horizontal" });
    this.thumbs = this.images.map((image, place) => {
      const canvas = h("canvas", { class: "pixels", "aria-hidden": "true" });
      show(canvas, image.pixels, this.data.image_shape);
      const badge = h("span", { class: "badge", "aria-hidden": "true" });
      return h(
        "div",
        { role: "option", class: "thumb", "data-image": place, onclick: () => this.select(place), onkeydown: (event) => this.stripKey(event) },
        canvas,
        badge,
      );
    });
    this.strip.append(...this.order.map((place) => this.thumbs[place]));
    const { split, examples, images } = this.data;
    const about =
      `${plural(this.images.length, "image")} of the ${split} (${count(examples)})` +
      (images.telling ? `; the last ${images.telling} were chosen because networks disagree about them or are all wrong.` : ".");
    this.stripNote = h("p", { class: "small" });
    this.stripAbout = about;
    return h("section", { class: "card strip-card", "aria-label": "Strip of test images" }, this.filters, this.strip, this.stripNote);
  }

  /** A network's decisions on image `place` of the strip, as Flax computed its probabilities. */
  decisions(network, place) {
    return this.decide(network.probabilities[place]);
  }

  /** The class; or the attributes above the threshold, as a text; null without probabilities. */
  decide(probabilities) {
    if (!probabilities) return null;
    if (!this.data.multi_label) return probabilities.indexOf(Math.max(...probabilities));
    return probabilities.map((p) => Number(p > this.threshold)).join("");
  }

  truth(label) {
    return this.data.multi_label ? label.join("") : label;
  }

  /** Whether shown networks differ about an image, and whether one of them is wrong. */
  judge(place) {
    const decisions = [...this.shown()].map((network) => this.decisions(network, place));
    return {
      differ: decisions.some((decision) => decision !== decisions[0]),
      wrong: decisions.some((decision) => decision !== this.truth(this.images[place].label)),
    };
  }

  refreshStrip() {
    const judged = this.images.map((_, place) => this.judge(place));
    const fits = { all: () => true, differ: (j) => j.differ, wrong: (j) => j.wrong };
    const numbers = Object.fromEntries(Object.entries(fits).map(([key, fit]) => [key, judged.filter(fit).length]));
    this.visible = this.order.filter((place) => fits[this.filter](judged[place]));
    const hadFocus = this.filters.contains(document.activeElement);
    const group = choice(
      "Images that the strip shows",
      [
        { value: "all", text: `All ${numbers.all}` },
        { value: "differ", text: `Disagreements ${numbers.differ}` },
        { value: "wrong", text: `Mistakes ${numbers.wrong}` },
      ],
      this.filter,
      (value) => {
        this.filter = value;
        this.refreshStrip();
        announce(`${plural(this.visible.length, "image")}`);
        if (this.visible.length && !this.visible.includes(this.place)) this.select(this.visible[0]);
      },
    );
    this.filters.replaceChildren(group);
    if (hadFocus) group.querySelector("[aria-checked=true]").focus();
    const focusable = this.visible.includes(this.place) ? this.place : this.visible[0];
    this.thumbs.forEach((thumb, place) => {
      const { differ, wrong } = judged[place];
      const position = this.visible.indexOf(place);
      thumb.hidden = position < 0;
      thumb.setAttribute("aria-selected", String(this.source === "test" && place === this.place));
      thumb.tabIndex = place === focusable ? 0 : -1;
      thumb.setAttribute("aria-posinset", position + 1);
      thumb.setAttribute("aria-setsize", this.visible.length);
      const text = [this.labelText(this.images[place].label), differ && "networks disagree", wrong && "with a mistake"];
      thumb.setAttribute("aria-label", text.filter(Boolean).join(", "));
      thumb.title = text.filter(Boolean).join(", ");
      const badge = thumb.querySelector(".badge");
      badge.textContent = differ ? "≠" : wrong ? "✗" : "";
      badge.hidden = !badge.textContent;
    });
    const none = { differ: "The shown networks agree about every image here.", wrong: "The shown networks are right about every image here." };
    this.stripNote.textContent = this.visible.length ? `${this.stripAbout} ≠: networks disagree. ✗: all make the same mistake.` : none[this.filter];
    if (this.data.multi_label && this.visible.length) this.stripNote.textContent = `${this.stripAbout} ≠: networks disagree about an attribute. ✗: all make the same mistakes.`;
  }

  stripKey(event) {
    const at = this.visible.indexOf(Number(event.currentTarget.dataset.image));
    const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: this.visible.length - 1 }[event.key];
    if (next === undefined) {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        this.select(this.visible[at]);
      }
      return;
    }
    event.preventDefault();
    const place = this.visible[Math.max(0, Math.min(next, this.visible.length - 1))];
    this.select(place);
    this.thumbs[place].focus({ preventScroll: true });
    this.thumbs[place].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  labelText(label) {
    const names = this.data.class_names;
    if (!this.data.multi_label) return names[label];
    return `${label.filter(Boolean).length} of ${names.length} attributes`;
  }

  /** Shows image `place` of the strip. */
  select(place) {
    this.place = place;
    if (this.source !== "test") this.openSource("test");
    else this.showTest();
  }

  // Where the image comes from.

  openSource(value) {
    this.stopCamera();
    this.source = value;
    this.sources.set(value);
    this.say("");
    this.body.replaceChildren();
    this.seen.hidden = true;
    ({ test: this.showTest, upload: this.openUpload, camera: this.openCamera, draw: this.openDraw })[value].call(this);
    this.refreshStrip();
  }

  say(problem) {
    this.problem.textContent = problem;
    this.problem.hidden = !problem;
  }

  showTest() {
    const image = this.images[this.place];
    const canvas = h("canvas", { class: "pixels large", role: "img", "aria-label": `Test image: ${this.labelText(image.label)}` });
    show(canvas, image.pixels, this.data.image_shape);
    this.body.replaceChildren(canvas, h("p", { class: "label" }, "Label: ", h("strong", {}, this.labelText(image.label))));
    this.refreshStrip();
    this.predict({ pixels: image.pixels, label: image.label, place: this.place });
  }

  openUpload() {
    const field = h("input", { type: "file", accept: "image/*", class: "unseen", id: "file", onchange: () => field.files[0] && this.upload(field.files[0]) });
    this.body.append(h("div", { class: "drop" }, h("p", {}, "Drop a picture here, paste it, or"), field, h("label", { for: "file", class: "button" }, "Choose a file")));
    this.waitForImage();
  }

  async upload(file) {
    if (this.source !== "upload") this.openSource("upload");
    this.say("");
    try {
      const pixels = await readFile(file, this.data.image_shape, this.data.crop);
      this.give(pixels, file.name);
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(error) {
    this.waitForImage();
    this.seen.hidden = true;
    this.say(error instanceof PictureProblem ? error.message : `The picture could not be read: ${error.message}`);
  }

  openCamera() {
    const video = h("video", { class: "video", autoplay: true, muted: true, playsinline: true, "aria-label": "Camera" });
    const take = h("button", { type: "button", class: "button", disabled: true, onclick: () => this.give(fromBitmap(video, this.data.image_shape, this.data.crop), "the camera") }, "Take a picture");
    const begin = h("button", { type: "button", class: "button quiet", onclick: () => this.startCamera(video, take, begin) }, "Start the camera");
    this.body.append(video, h("div", { class: "row" }, begin, take));
    this.waitForImage();
  }

  async startCamera(video, take, begin) {
    this.say("");
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "NotSupportedError");
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      if (this.source !== "camera" || this.wanted < 0) {
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      this.stream = stream;
      video.srcObject = stream;
      await video.play();
      take.disabled = false;
      begin.hidden = true;
    } catch (error) {
      const why = {
        NotAllowedError: "The browser may not use the camera. Allow it for this page, or upload a picture.",
        NotFoundError: "This device has no camera. Upload a picture instead.",
        NotSupportedError: "Browsers give a camera only to pages of this machine or of https. Upload a picture instead.",
      };
      this.say(why[error.name] ?? `The camera does not start: ${error.message || error.name}. Upload a picture instead.`);
    }
  }

  stopCamera() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  }

  openDraw() {
    const { element, clear, undo } = sheet(this.data.image_shape, this.data.drawing, (pixels) => {
      if (pixels) this.give(pixels, "the drawing");
      else this.waitForImage();
    });
    this.body.append(
      element,
      h("div", { class: "row" }, h("button", { type: "button", class: "button quiet", onclick: undo }, "Undo"), h("button", { type: "button", class: "button quiet", onclick: clear }, "Clear")),
    );
    this.waitForImage();
  }

  waitForImage() {
    this.wanted++;
    this.input = null;
    this.results.clear();
    this.seen.hidden = true;
    this.verdict.textContent = { upload: "Waiting for a picture.", camera: "Waiting for a picture.", draw: "Waiting for a drawing." }[this.source] ?? "";
    this.refreshCards();
  }

  give(pixels, name) {
    this.say("");
    this.seen.hidden = false;
    show(this.seenCanvas, pixels, this.data.image_shape);
    this.predict({ pixels, name });
  }

  // Predictions.

  shown() {
    return this.data.networks.filter((network) => this.chosen.has(network));
  }

  async predict(input) {
    this.input = input;
    this.results.clear();
    const asked = ++this.wanted;
    this.verdict.classList.add("waiting");
    this.cards.setAttribute("aria-busy", "true");
    for (const network of this.shown()) {
      try {
        const result = await run(`${this.entry.folder}/${network.file}`, input.pixels, this.data.image_shape);
        if (asked !== this.wanted) return;
        this.results.set(network, result);
      } catch (error) {
        if (asked !== this.wanted) return;
        this.results.set(network, { error: error.message });
      }
      this.refreshCards();
    }
    this.verdict.classList.remove("waiting");
    this.cards.setAttribute("aria-busy", "false");
    this.verdict.textContent = this.verdictText();
    announce(this.verdict.textContent);
    for (const network of this.shown()) {
      if (this.times.has(network) || this.results.get(network)?.error) continue;
      const measured = await time(`${this.entry.folder}/${network.file}`, input.pixels, this.data.image_shape).catch(() => null);
      if (measured) this.times.set(network, measured);
      if (this.wanted < 0) return;
      if (asked === this.wanted) this.refreshCards();
    }
  }

  verdictText() {
    const answers = this.shown().filter((network) => this.results.get(network)?.probabilities);
    if (!answers.length) return "";
    const names = this.data.class_names;
    if (this.data.multi_label) {
      const rows = answers.map((network) => this.decide(this.results.get(network).probabilities));
      const differ = names.filter((_, k) => rows.some((row) => row[k] !== rows[0][k]));
      if (answers.length === 1) return `${spoken(answers[0].name)} sees ${plural([...rows[0]].filter((x) => x === "1").length, "attribute")}.`;
      return differ.length ? `Networks disagree about ${listed(differ.slice(0, 6))}${differ.length > 6 ? ` and ${differ.length - 6} more` : ""}.` : "Networks agree about every attribute.";
    }
    const groups = new Map();
    for (const network of answers) {
      const decision = this.decide(this.results.get(network).probabilities);
      groups.set(decision, [...(groups.get(decision) ?? []), spoken(network.name)]);
    }
    if (groups.size === 1) {
      const [decision] = groups.keys();
      const who = answers.length === 1 ? spoken(answers[0].name) : answers.length === 2 ? "Both networks" : `All ${answers.length} networks`;
      const wrong = this.input.label !== undefined && decision !== this.input.label;
      return `${who} ${answers.length === 1 ? "says" : "say"} ${names[decision]}${wrong ? `, but the label is ${names[this.input.label]}` : ""}.`;
    }
    const parts = [...groups].map(([decision, who]) => `${listed(who)} ${who.length > 1 ? "say" : "says"} ${names[decision]}`);
    return `They disagree: ${parts.join("; ")}.`;
  }

  // Controls.

  buildControls() {
    const { data } = this;
    const chips = (label, items) => h("div", { class: "control", role: "group", "aria-label": label }, h("span", { class: "control-name", "aria-hidden": "true" }, label), items);
    const networks = data.networks.map((network, place) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(this.chosen.has(network)),
          onclick: (event) => {
            if (this.chosen.has(network) && this.chosen.size === 1) return;
            if (!this.chosen.delete(network)) this.chosen.add(network);
            event.currentTarget.setAttribute("aria-pressed", String(this.chosen.has(network)));
            this.buildCards();
            this.refreshStrip();
            if (this.input) this.predict(this.input);
          },
        },
        mark(place),
        spoken(network.name),
      ),
    );
    const known = [...new Set(data.networks.flatMap((network) => network.layers))];
    const layers = known.map((layer) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(this.layers.has(layer)),
          onclick: (event) => {
            if (!this.layers.delete(layer)) this.layers.add(layer);
            event.currentTarget.setAttribute("aria-pressed", String(this.layers.has(layer)));
            this.refreshCards();
          },
        },
        layer,
      ),
    );
    const output = h("output", { for: "threshold" }, percent(this.threshold, 0));
    const slider = h("input", {
      type: "range", id: "threshold", min: "0.05", max: "0.95", step: "0.05", value: this.threshold,
      oninput: () => {
        this.threshold = Number(slider.value);
        output.textContent = percent(this.threshold, 0);
        this.refreshStrip();
        this.refreshCards();
        if (this.input) this.verdict.textContent = this.verdictText();
      },
    });
    const more = h("button", {
      type: "button", class: "chip", "aria-pressed": "false",
      onclick: () => {
        this.all = !this.all;
        more.setAttribute("aria-pressed", String(this.all));
        this.refreshCards();
      },
    }, data.multi_label ? `All ${data.class_names.length} attributes` : `All ${data.class_names.length} classes`);
    return h(
      "div",
      { class: "controls" },
      data.networks.length > 1 && chips("Networks", networks),
      layers.length ? chips("Attention maps", layers) : null,
      data.multi_label && h("div", { class: "control" }, h("label", { for: "threshold", class: "control-name" }, "Threshold"), slider, output),
      data.class_names.length > ROWS && h("div", { class: "control" }, h("span", { class: "control-name", "aria-hidden": "true" }, "Bars"), more),
    );
  }

  // Cards.

  buildCards() {
    this.views = new Map(
      this.shown().map((network) => {
        const place = this.data.networks.indexOf(network);
        const view = {
          answer: h("p", { class: "answer" }, "…"),
          bars: h("ul", { class: "bars" }),
          maps: h("div", { class: "maps" }),
          check: h("p", { class: "check" }),
          speed: h("p", { class: "speed" }),
        };
        const about = [network.teacher && network.name !== "teacher" && "teacher", network.workdir && `from ${network.workdir}`].filter(Boolean);
        view.card = h(
          "article",
          { class: "card network", "aria-label": spoken(network.name), style: { "--hue": look(place).colour } },
          h("header", {}, h("h2", {}, mark(place), spoken(network.name)), about.map((text) => h("span", { class: "tag" }, text))),
          view.answer,
          view.bars,
          view.maps,
          h(
            "footer",
            {},
            view.check,
            view.speed,
            h("p", {}, `${percent(network.accuracy)} on the ${this.data.split}`), h("p", {}, `${count(network.parameters)} parameters, ${bytes(network.bytes)}`),
          ),
        );
        return [network, view];
      }),
    );
    this.cards.replaceChildren(...[...this.views.values()].map((view) => view.card));
    this.refreshCards();
  }

  /** The classes or attributes with a bar, the same in all cards. */
  rows() {
    const names = this.data.class_names;
    const every = [...names.keys()];
    const known = [...this.results.values()].map((result) => result.probabilities).filter(Boolean);
    if ((names.length <= ROWS && !this.data.multi_label) || this.all) return every;
    const best = (probabilities) => [...every].sort((a, b) => probabilities[b] - probabilities[a]);
    const highest = every.map((k) => Math.max(0, ...known.map((probabilities) => probabilities[k])));
    if (this.data.multi_label) return best(highest).slice(0, ROWS);
    const rows = new Set(known.flatMap((probabilities) => best(probabilities).slice(0, TOP - 2)));
    for (const k of best(highest)) {
      if (rows.size >= TOP) break;
      rows.add(k);
    }
    if (this.input?.label !== undefined) rows.add(this.input.label);
    return [...rows].sort((a, b) => highest[b] - highest[a]);
  }

  refreshCards() {
    const rows = this.rows();
    for (const [network, view] of this.views) this.refreshCard(network, view, rows);
  }

  refreshCard(network, view, rows) {
    const result = this.results.get(network);
    const { data, input } = this;
    if (result?.error) {
      view.answer.replaceChildren(h("span", { class: "problem" }, `It does not run in this browser: ${result.error}`));
      for (const part of [view.bars, view.maps, view.check]) part.replaceChildren();
      return;
    }
    const probabilities = result?.probabilities;
    const label = input?.label;
    const decision = this.decide(probabilities);
    view.answer.replaceChildren(...this.answer(probabilities, decision, label));
    view.bars.replaceChildren(...rows.map((k) => this.bar(k, probabilities, decision, label)));
    const layers = result ? [...this.layers].filter((layer) => result.maps[layer]) : [];
    const lacking = [...this.layers].filter((layer) => !network.layers.includes(layer));
    view.maps.replaceChildren(
      ...layers.map((layer) => {
        const canvas = h("canvas", { class: "map", role: "img", "aria-label": `Attention map of ${spoken(network.name)} at ${layer}` });
        showMap(canvas, input.pixels, data.image_shape, result.maps[layer]);
        return h("figure", {}, canvas, h("figcaption", {}, layer));
      }),
      ...(result && lacking.length ? [h("p", { class: "small" }, `No map of ${listed(lacking)}.`)] : []),
    );
    this.refreshCheck(network, view, probabilities);
    const measured = this.times.get(network);
    view.speed.textContent = measured
      ? `${milliseconds(measured.median)} in this browser (median of ${measured.runs})`
      : result ? `${milliseconds(result.milliseconds)} in this browser, the first time` : "Time: not measured yet";
  }

  answer(probabilities, decision, label) {
    if (!probabilities) return [h("span", { class: "unknown" }, "–")];
    const names = this.data.class_names;
    if (this.data.multi_label) {
      const has = [...decision].filter((x) => x === "1").length;
      const right = label && label.filter((value, k) => String(value) === decision[k]).length;
      return [h("strong", {}, plural(has, "attribute")), label ? h("span", {}, ` ${right} of ${names.length} right`) : ""];
    }
    const parts = [h("strong", {}, names[decision]), h("span", { class: "share" }, percent(probabilities[decision], 1))];
    if (label !== undefined) {
      const right = decision === label;
      parts.push(h("span", { class: right ? "verdict-mark right" : "verdict-mark wrong" }, right ? "✓ right" : "✗ wrong"));
    }
    return parts;
  }

  bar(k, probabilities, decision, label) {
    const { class_names: names, multi_label } = this.data;
    const p = probabilities?.[k] ?? 0;
    const isAnswer = probabilities && (multi_label ? decision[k] === "1" : decision === k);
    const isTrue = label !== undefined && (multi_label ? label[k] === 1 : label === k);
    return h(
      "li",
      { class: `bar${isAnswer ? " chosen" : ""}` },
      h("span", { class: "bar-name", title: names[k] }, names[k], isTrue ? h("span", { class: "true" }, h("span", { "aria-hidden": "true" }, " ✓"), h("span", { class: "unseen" }, multi_label ? " (has it)" : " (the label)")) : null),
      h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "fill", style: { width: `${100 * p}%` } }), multi_label ? h("span", { class: "limit", style: { left: `${100 * this.threshold}%` } }) : null),
      h("span", { class: "bar-value" }, probabilities ? percent(p, 1) : ""),
    );
  }

  /** Compares the browser's probabilities with those that Flax computed in the evaluation. */
  refreshCheck(network, view, probabilities) {
    const place = this.input?.place;
    if (!probabilities || place === undefined) {
      view.check.replaceChildren();
      return;
    }
    const recorded = network.probabilities[place];
    const difference = recorded ? Math.max(...recorded.map((p, k) => Math.abs(p - probabilities[k]))) : Infinity;
    const equal = difference <= TOLERANCE && this.decide(recorded) === this.decide(probabilities);
    const text = recorded
      ? `${equal ? "as evaluated" : "not as evaluated"} (probabilities to ${difference.toExponential(0)})`
      : "the evaluation has no prediction of this image";
    view.check.className = `check ${equal ? "right" : "wrong"}`;
    view.check.replaceChildren(h("span", { "aria-hidden": "true" }, equal ? "✓ " : "✗ "), text);
  }
}
