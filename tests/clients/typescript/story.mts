/** One story through the generated types; `tests/clients/story.py` says what it is to find. */
import createClient from "openapi-fetch";

import { ApplicantInKind, Channel, DossierStatus, type paths } from "./mesh.mjs";

declare const process: { env: Record<string, string | undefined> };

const baseUrl = readSetting("GATEWAY_URL");
const purpose = { "X-Purpose": "2.000815", "X-Officer": "officer-17" };

function readSetting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** Return the body of a success; a problem ends the story. */
function readBody<Body>(answer: { data?: Body; error?: unknown }): Body {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

function readHeader(response: Response, name: string): string {
  const value = response.headers.get(name);
  if (value === null) throw new Error(`the answer has no ${name}`);
  return value;
}

/** Return a client that sends the token of the client system. */
async function signIn(clientId: string, secret: string) {
  const answer = await createClient<paths>({ baseUrl }).POST("/oauth/token", {
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: { grant_type: "client_credentials", client_id: clientId, client_secret: secret },
  });
  const token = readBody(answer).access_token;
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}

const desk = await signIn("onestop-h26", readSetting("DESK_SECRET"));
const person = {
  personal_number: "001090000001",
  full_name: "Nguyễn Văn An",
  birth_date: "1990-05-14",
};
const verification = readBody(
  await desk.POST("/identity/v1/verifications", { params: { header: purpose }, body: person }),
);

const filing = await desk.POST("/dossier/v1/dossiers", {
  params: { header: purpose },
  body: {
    procedure: "2.000815",
    channel: Channel.DESK,
    applicant: {
      kind: ApplicantInKind.CITIZEN,
      name: person.full_name,
      personal_number: person.personal_number,
      birth_date: person.birth_date,
    },
    received_by: "H26.101",
    decided_by: "H26.101",
  },
});
const filed = readBody(filing);

const move = {
  params: {
    path: { code: filed.code },
    header: { ...purpose, "if-match": readHeader(filing.response, "ETag") },
  },
  body: { to: DossierStatus.PROCESSING },
};
const moved = readBody(await desk.POST("/dossier/v1/dossiers/{code}/transitions", move));

const pushing = await signIn("external-h41", readSetting("PUSHING_SECRET"));
const at = "2026-11-02T09:00:00+07:00";
const pushed = readBody(
  await pushing.POST("/sync/v1/dossiers", {
    params: { header: purpose },
    body: {
      rows: [
        {
          code: "H41-261102-0001",
          procedure: "1.001193",
          channel: Channel.DESK,
          status: DossierStatus.RECEIVED,
          source_time: at,
          received_by: "H41",
          decided_by: "H41",
          filed_at: at,
          received_at: at,
        },
      ],
    },
  }),
);

const page = readBody(await desk.GET("/dossier/v1/dossiers", { params: { header: purpose } }));
const refusal = await desk.POST("/dossier/v1/dossiers/{code}/transitions", move);
const problem = refusal.error;

console.log(
  JSON.stringify({
    verified: verification.result,
    filed: DossierStatus[filed.status],
    located: readHeader(filing.response, "Location") === `/dossier/v1/dossiers/${filed.code}`,
    moved: DossierStatus[moved.status],
    pushed: pushed.results[0]?.outcome,
    listed: page.items.some((line) => line.code === filed.code),
    refused: problem?.type,
  }),
);
