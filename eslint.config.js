// What ESLint checks in the page, the client, the element and their tests; run by `make check`.

import js from "@eslint/js";
import globals from "globals";

const RULES = {
  eqeqeq: ["error", "always", { null: "ignore" }],
  "array-callback-return": "error",
  "default-case-last": "error",
  "no-else-return": "error",
  "no-eval": "error",
  "no-implied-eval": "error",
  "no-new-func": "error",
  "no-param-reassign": "error",
  "no-self-compare": "error",
  "no-throw-literal": "error",
  "no-unmodified-loop-condition": "error",
  "no-unreachable-loop": "error",
  "no-unused-expressions": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": "error",
  "prefer-template": "error",
  "require-atomic-updates": "error",
};

export default [
  { ...js.configs.recommended, linterOptions: { reportUnusedDisableDirectives: "error" } },
  { rules: RULES },
  { files: ["services/gateway/web/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["tests/web/**/*.mjs"], languageOptions: { globals: { ...globals.browser, ...globals.node } } },
];
