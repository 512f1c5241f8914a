// Places in texts as the server names them: in characters (code points), which are not JavaScript's units. Pure.

const AROUND = 90; // characters shown before the first word that was found
const LONGEST = 320;

/** The index in JavaScript's units of the character number `points` of a text. */
export function unitsAt(text, points) {
  let units = 0;
  for (let seen = 0; seen < points && units < text.length; seen += 1) {
    units += text.codePointAt(units) > 0xffff ? 2 : 1;
  }
  return units;
}

/**
 * A passage of a text around the first of `highlights` ([start, end) in characters, in order): a list of
 * `{text, found}`, whitespace made even, with "…" where something was left out.
 */
export function passageOf(text, highlights) {
  const letters = [...text];
  const first = highlights[0]?.[0] ?? 0;
  const from = first > AROUND ? after(letters, first - AROUND) : 0;
  const to = Math.min(letters.length, from + LONGEST);
  const parts = [];
  const add = (start, end, found) => {
    const piece = letters.slice(start, end).join("").replace(/\s+/g, " ");
    if (piece) parts.push({ text: piece, found });
  };
  let done = from;
  for (const [start, end] of highlights.filter(([start, end]) => start >= from && end <= to)) {
    add(done, start, false);
    add(start, end, true);
    done = end;
  }
  add(done, to, false);
  const more = { text: "…", found: false };
  return [...(from > 0 ? [more] : []), ...parts, ...(to < letters.length ? [more] : [])];
}

/** The beginning of the word after `place`. */
function after(letters, place) {
  const gap = letters.findIndex((letter, index) => index >= place && /\s/.test(letter));
  return gap < 0 || gap > place + AROUND / 2 ? place : gap + 1;
}
