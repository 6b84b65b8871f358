import java.net.http.HttpClient;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import mesh.ApiClient;
import mesh.ApiException;
import mesh.ApiResponse;
import mesh.api.DossiersApi;
import mesh.api.HandlingApi;
import mesh.api.NationalViewApi;
import mesh.api.TokensApi;
import mesh.api.VerificationsApi;
import mesh.model.ApplicantIn;
import mesh.model.Channel;
import mesh.model.DossierLinePage;
import mesh.model.DossierOut;
import mesh.model.DossierPush;
import mesh.model.DossierRow;
import mesh.model.DossierStatus;
import mesh.model.FileDossier;
import mesh.model.MoveDossier;
import mesh.model.Problem;
import mesh.model.PushResults;
import mesh.model.ReceivedAt;
import mesh.model.VerificationIn;

/** One story through the generated client; `tests/clients/story.py` says what it is to find. */
public final class Story {
    private static final String PURPOSE = "2.000815";
    private static final String OFFICER = "officer-17";
    private static final String NAME = "Nguyễn Văn An";
    private static final String NUMBER = "001090000001";
    private static final String BIRTH_DATE = "1990-05-14";

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> facts = new LinkedHashMap<>();
        ApiClient desk = signIn("onestop-h26", System.getenv("DESK_SECRET"));
        VerificationIn person =
                new VerificationIn().personalNumber(NUMBER).fullName(NAME).birthDate(BIRTH_DATE);
        facts.put(
                "verified",
                new VerificationsApi(desk).verifyPerson(PURPOSE, OFFICER, person, null).getResult());

        DossiersApi dossiers = new DossiersApi(desk);
        ApiResponse<DossierOut> filing =
                dossiers.fileDossierWithHttpInfo(PURPOSE, OFFICER, describeDossier(), null, null);
        String code = filing.getData().getCode();
        facts.put("filed", filing.getData().getStatus().name());
        facts.put("located", readHeader(filing, "Location").equals("/dossier/v1/dossiers/" + code));

        HandlingApi handling = new HandlingApi(desk);
        String version = readHeader(filing, "ETag");
        MoveDossier move = new MoveDossier().to(DossierStatus.PROCESSING.getValue());
        DossierOut moved = handling.moveDossier(code, version, PURPOSE, OFFICER, move, null);
        facts.put("moved", moved.getStatus().name());

        ApiClient pushing = signIn("external-h41", System.getenv("PUSHING_SECRET"));
        PushResults pushed =
                new NationalViewApi(pushing).pushDossiers(describePush(), null, PURPOSE, OFFICER, null);
        facts.put("pushed", pushed.getResults().get(0).getOutcome());

        facts.put(
                "listed",
                listProcessing(dossiers).getItems().stream()
                        .anyMatch(line -> line.getCode().equals(code)));
        try {
            handling.moveDossier(code, version, PURPOSE, OFFICER, move, null);
        } catch (ApiException refusal) {
            String body = refusal.getResponseBody();
            facts.put("refused", desk.getObjectMapper().readValue(body, Problem.class).getType());
        }
        System.out.println(desk.getObjectMapper().writeValueAsString(facts));
    }

    /** Return a client that sends the token of the client system. */
    private static ApiClient signIn(String clientId, String secret) throws ApiException {
        ApiClient client = new ApiClient();
        client.updateBaseUri(System.getenv("GATEWAY_URL"));
        // By default Java offers HTTP/2 without TLS, and the server of the tests then drops bodies.
        client.setHttpClientBuilder(HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1));
        String token =
                new TokensApi(client)
                        .issueOauthToken("client_credentials", clientId, null, null, secret)
                        .getAccessToken();
        return client.setRequestInterceptor(
                request -> request.header("Authorization", "Bearer " + token));
    }

    private static FileDossier describeDossier() {
        return new FileDossier()
                .procedure("2.000815")
                .channel(Channel.DESK)
                .applicant(
                        new ApplicantIn()
                                .kind(ApplicantIn.KindEnum.CITIZEN)
                                .name(NAME)
                                .personalNumber(NUMBER)
                                .birthDate(BIRTH_DATE))
                .receivedBy("H26.101")
                .decidedBy("H26.101");
    }

    private static DossierPush describePush() {
        OffsetDateTime at = OffsetDateTime.parse("2026-11-02T09:00:00+07:00");
        DossierRow row =
                new DossierRow()
                        .code("H41-261102-0001")
                        .procedure("1.001193")
                        .channel(Channel.DESK)
                        .status(DossierStatus.RECEIVED)
                        .sourceTime(at)
                        .receivedBy("H41")
                        .decidedBy("H41")
                        .filedAt(at)
                        .receivedAt(new ReceivedAt(at));
        return new DossierPush().rows(List.of(row));
    }

    private static DossierLinePage listProcessing(DossiersApi dossiers) throws ApiException {
        return dossiers.listDossiers(
                DossierStatus.PROCESSING,
                null, null, null, null, null, null, null, null, null,
                PURPOSE,
                OFFICER,
                null);
    }

    private static String readHeader(ApiResponse<?> answer, String name) {
        return answer.getHeaders().entrySet().stream()
                .filter(header -> header.getKey().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow()
                .getValue()
                .get(0);
    }

    private Story() {}
}
