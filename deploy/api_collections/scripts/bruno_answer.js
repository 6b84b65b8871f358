// Keep the token, the code of a dossier and its version for the requests that follow.
const body = res.getBody();
if (req.getUrl().endsWith("/oauth/token") && res.getStatus() === 200) {
  bru.setVar("token", body.access_token);
  bru.setVar("token_until", Date.now() + (body.expires_in - 30) * 1000);
}
if (req.getUrl().includes("/dossier/v1/dossiers") && res.getHeader("etag")) {
  bru.setVar("etag", res.getHeader("etag"));
  bru.setVar("dossier_code", body.code || bru.interpolate("{{dossier_code}}"));
}
