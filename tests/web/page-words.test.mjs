import assert from "node:assert/strict";
import { test } from "node:test";
import { hasImages, isUnsure, joined, layout, placesOf, wordsIn } from "../../services/gateway/web/page/document/page-words.js";

const word = (text, box = [0, 0, 1, 1], confidence = 90) => ({ text, box, confidence });
const TEXT = "Total 119.00\n\nof which tax 19.00";
const WORDS = ["Total", "119.00", "of", "which", "tax", "19.00"].map((text) => word(text));

test("each word is found in the text of its page, in their order", () => {
  const places = placesOf(TEXT, WORDS);
  assert.deepEqual(places.map(([start, end]) => TEXT.slice(start, end)), WORDS.map(({ text }) => text));
  assert.equal(places[5][0], TEXT.lastIndexOf("19.00")); // and not within 119.00
});

test("a word that does not stand in the text does not move the others", () => {
  const places = placesOf("one three", ["one", "two", "three"].map((text) => word(text)));
  assert.deepEqual(places, [[0, 3], null, [4, 9]]);
});

test("a place in the text is the words that it touches", () => {
  const places = placesOf(TEXT, WORDS);
  const of = (said) => [TEXT.indexOf(said), TEXT.indexOf(said) + said.length];
  assert.deepEqual(wordsIn(places, of("119.00")), [1]);
  assert.deepEqual(wordsIn(places, of("119.00\n\nof")), [1, 2]);
  assert.deepEqual(wordsIn(places, of("\n\n")), []);
  assert.deepEqual(wordsIn([null, [0, 2]], [0, 9]), [1]);
});

test("a box is a share of the page, whatever its unit", () => {
  const found = layout([50, 100, 150, 120], { width: 200, height: 400 });
  assert.deepEqual(found, { left: 25, top: 25, width: 50, height: 5, letters: 10 });
});

test("only what was guessed can be doubtful", () => {
  assert.equal(isUnsure(word("a", [0, 0, 1, 1], 59.9)), true);
  assert.equal(isUnsure(word("a", [0, 0, 1, 1], 60)), false);
  assert.equal(isUnsure(word("a", [0, 0, 1, 1], null)), false);
});

test("what is selected on the image is copied line by line", () => {
  const words = [word("Dear", [0, 0, 9, 10]), word("Anna,", [10, 1, 20, 11]), word("the", [0, 20, 5, 30])];
  assert.equal(joined(words), "Dear Anna,\nthe");
  assert.equal(joined([]), "");
});

test("images are only asked for where pages look like something", () => {
  for (const type of ["application/pdf", "image/heic", "message/rfc822"]) assert.equal(hasImages(type), true);
  for (const type of ["text/plain", "application/rtf", ""]) assert.equal(hasImages(type), false);
});
