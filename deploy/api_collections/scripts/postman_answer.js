// Keep the token, the code of a dossier and its version for the requests that follow.
const path = pm.request.url.getPath();
if (path === "/oauth/token" && pm.response.code === 200) {
  const body = pm.response.json();
  pm.collectionVariables.set("token", body.access_token);
  pm.collectionVariables.set("token_until", Date.now() + (body.expires_in - 30) * 1000);
}
if (path.startsWith("/dossier/v1/dossiers") && pm.response.headers.has("ETag")) {
  pm.collectionVariables.set("etag", pm.response.headers.get("ETag"));
  pm.collectionVariables.set("dossier_code", pm.response.json().code || pm.variables.get("dossier_code"));
}
