// Starts Swagger UI on the OpenAPI document of this gateway. Nothing is fetched from another host.

globalThis.SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("operations"),
  validatorUrl: null, // the badge would send the document's address to a public server
  tryItOutEnabled: true,
  filter: true,
  deepLinking: true,
  docExpansion: "list",
});
