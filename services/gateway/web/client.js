// The published address of the client: pages of others load it from here.
export * from "./client/client.js";
