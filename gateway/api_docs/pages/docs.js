SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#pages",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  validatorUrl: null,
  requestInterceptor: (request) => {
    request.headers["Accept-Language"] = document.documentElement.lang;
    return request;
  },
});
