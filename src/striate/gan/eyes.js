
"use strict";
(() => {
  const SEEN = 150; // milliseconds that an image has to be there before it can be judged
  const Z = 1.959963984540054; // of a 95 % interval
  const part = (id) => document.getElementById(id);
  const test = JSON.parse(part("test").textContent);
  const total = test.images.length;
  let given = []; // of each image so far, whether it was taken for a generated one
  let judging = false;
  let shown = 0;

  function only(name) {
    for (const id of ["introduction", "judging", "result"]) part(id).hidden = id !== name;
    judging = name === "judging";
  }

  function show() {
    only("judging");
    part("picture").src = test.images[given.length];
    part("count").textContent = `${given.length + 1} of ${total}`;
    part("progress").value = given.length;
    shown = performance.now();
  }

  function goOn() {
    if (given.length < total) show();
    else finish();
  }

  function judge(generated) {
    if (!judging || performance.now() - shown < SEEN) return;
    given.push(generated);
    remember();
    goOn();
  }

  // The answers stand in the page's address, so that a page that is loaded again goes on where it was.
  function remember() {
    location.replace(`#${given.map(Number).join("")}`);
  }

  function remembered() {
    const kept = location.hash.slice(1);
    return /^[01]*$/.test(kept) && kept.length <= total ? Array.from(kept, (each) => each === "1") : [];
  }

  // The answers are hidden from a glance at the page's text, not from someone who wants to know.
  function revealed(text, key) {
    let state = key;
    const letters = Array.from(atob(text), (letter) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return String.fromCharCode(letter.charCodeAt(0) ^ (state & 255));
    });
    return JSON.parse(letters.join(""));
  }

  function wilson(successes, trials) {
    const share = successes / trials;
    const centre = share + (Z * Z) / (2 * trials);
    const spread = Z * Math.sqrt((share * (1 - share)) / trials + (Z * Z) / (4 * trials * trials));
    const scale = 1 + (Z * Z) / trials;
    return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)];
  }

  function rate(rows) {
    const wrong = rows.filter((row) => row.wrong).length;
    const [low, high] = wilson(wrong, rows.length);
    return { images: rows.length, wrong, share: wrong / rows.length, low, high };
  }

  const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

  function verdict(all) {
    const range = `${percent(all.low)} to ${percent(all.high)}`;
    const said = `You judged ${all.wrong} of ${total} images wrong: an error rate of ${percent(all.share)} ` +
      `(95\u00a0% interval ${range}). `;
    if (all.high < 0.5) return said + "That is less than guessing gives: you can tell what was generated.";
    if (all.low > 0.5) {
      return said + "That is more than guessing gives: to you, what was generated looks the more real.";
    }
    return said + `Guessing gives 50 %, which lies in the interval: by ${total} images it cannot be said that ` +
      "you can tell what was generated.";
  }

  function add(parent, kind, text) {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  function finish() {
    const rows = revealed(test.answers, test.key).map(([generated, caption], place) => ({
      place, caption, generated: generated === 1, wrong: given[place] !== (generated === 1),
    }));
    const rates = {
      "all": rate(rows),
      "real, taken for generated": rate(rows.filter((row) => !row.generated)),
      "generated, taken for real": rate(rows.filter((row) => row.generated)),
    };
    const body = part("rates").tBodies[0];
    body.replaceChildren();
    for (const [name, figures] of Object.entries(rates)) {
      const line = add(body, "tr");
      const interval = `${percent(figures.low)} to ${percent(figures.high)}`;
      for (const text of [name, figures.images, figures.wrong, percent(figures.share), interval]) {
        add(line, "td", text);
      }
    }
    const mistakes = part("mistakes");
    mistakes.replaceChildren();
    for (const row of rows.filter((each) => each.wrong)) {
      const figure = add(mistakes, "figure");
      const picture = add(figure, "img");
      picture.src = test.images[row.place];
      picture.alt = row.generated ? "generated" : "real";
      add(figure, "figcaption", `${picture.alt}${row.caption ? `: ${row.caption}` : ""}`);
    }
    if (!mistakes.children.length) mistakes.textContent = "none";
    part("verdict").textContent = verdict(rates.all);
    part("json").value = JSON.stringify({
      test: test.name, images: total, error_rate: rates.all, real: rates["real, taken for generated"],
      generated: rates["generated, taken for real"],
      judged_generated: given, generated_images: rows.map((row) => row.generated),
    }, null, 1);
    only("result");
  }

  part("start").addEventListener("click", goOn);
  part("real").addEventListener("click", () => judge(false));
  part("generated").addEventListener("click", () => judge(true));
  part("again").addEventListener("click", () => { given = []; remember(); goOn(); });
  document.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: false, r: false, R: false, ArrowRight: true, g: true, G: true };
    if (!judging || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    judge(keys[event.key]);
  });
  given = remembered();
  if (given.length) goOn();
  else part("start").focus();
})();
