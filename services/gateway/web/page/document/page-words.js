// Where the words of a page stand: in its text, and on its image. Pure.

export const UNSURE_BELOW = 60; // percent; in print, what is read with less is often wrong

/** Whether pages of this media type look like something; those of an e-mail do where a scan is attached. */
export const hasImages = (type) => type.startsWith("image/") || ["application/pdf", "message/rfc822"].includes(type);

/** Whether the recognition itself doubts a word; a word of a text layer has no confidence and no doubt. */
export const isUnsure = ({ confidence }) => confidence !== null && confidence < UNSURE_BELOW;

/** For each word `[start, end]` in the text of its page; null for one that does not stand there. */
export function placesOf(text, words) {
  let from = 0;
  return words.map((word) => {
    const start = text.indexOf(word.text, from);
    if (start < 0) return null;
    from = start + word.text.length;
    return [start, from];
  });
}

/** The indices of the words that share a character with `[start, end)`. */
export function wordsIn(places, [start, end]) {
  return [...places.keys()].filter((index) => places[index] && places[index][0] < end && places[index][1] > start);
}

/** A word's box as shares of the page: left, top, width, height in percent, and its height for `width` = 100. */
export function layout([x0, y0, x1, y1], { width, height }) {
  const across = (value) => (value / width) * 100;
  const down = (value) => (value / height) * 100;
  return { left: across(x0), top: down(y0), width: across(x1 - x0), height: down(y1 - y0), letters: across(y1 - y0) };
}

/** Words that were selected on the image as text: a line each where the next one stands lower. */
export function joined(words) {
  return words.reduce((text, word, index) => {
    if (index === 0) return word.text;
    const before = words[index - 1].box;
    const isBelow = word.box[1] >= (before[1] + before[3]) / 2;
    return text + (isBelow ? "\n" : " ") + word.text;
  }, "");
}
