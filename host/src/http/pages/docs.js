// The token lives in this page's memory only: it is not stored, and a reload forgets it.
"use strict";
const state = document.getElementById("state");
let token = "";

async function show() {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch("openapi.json", { headers });
  if (!response.ok) {
    if (token) state.textContent = "The token was not accepted.";
    return;
  }
  const spec = await response.json();
  state.textContent = `${Object.keys(spec.paths).length} addresses.`;
  SwaggerUIBundle({
    dom_id: "#ui",
    spec,
    deepLinking: true,
    filter: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      if (token) request.headers.authorization = `Bearer ${token}`;
      return request;
    },
  });
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = document.getElementById("token").value.trim();
  show();
});
show();
