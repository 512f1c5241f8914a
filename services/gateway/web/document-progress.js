// The published address of the element: pages of others load it from here.
export * from "./element/document-progress.js";
