// Fetch a token where there is none, or where it ends within half a minute.
const isTokenRequest = pm.request.url.getPath() === "/oauth/token";
if (!isTokenRequest && Number(pm.collectionVariables.get("token_until") || 0) < Date.now()) {
  const form = ["client_id", "client_secret"].map((name) => ({ key: name, value: pm.variables.get(name) }));
  pm.sendRequest({
    method: "POST",
    url: pm.variables.replaceIn("{{base_url}}/oauth/token"),
    body: { mode: "urlencoded", urlencoded: [{ key: "grant_type", value: "client_credentials" }, ...form] },
  }, (error, answer) => {
    if (error || answer.code !== 200) {
      throw error || new Error("no token: set client_id and client_secret");
    }
    const body = answer.json();
    pm.collectionVariables.set("token", body.access_token);
    pm.collectionVariables.set("token_until", Date.now() + (body.expires_in - 30) * 1000);
  });
}
