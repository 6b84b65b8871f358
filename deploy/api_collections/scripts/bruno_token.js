// Fetch a token where there is none, or where it ends within half a minute.
const isTokenRequest = req.getUrl().endsWith("/oauth/token");
if (!isTokenRequest && Number(bru.getVar("token_until") || 0) < Date.now()) {
  const answer = await bru.sendRequest({
    method: "POST",
    url: bru.interpolate("{{base_url}}/oauth/token"),
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    data: ["client_id", "client_secret"]
      .map((name) => name + "=" + encodeURIComponent(bru.interpolate("{{" + name + "}}")))
      .join("&") + "&grant_type=client_credentials",
  });
  bru.setVar("token", answer.data.access_token);
  bru.setVar("token_until", Date.now() + (answer.data.expires_in - 30) * 1000);
}
