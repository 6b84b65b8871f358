#!/bin/sh
# Say where the mesh that `make up` started is reached, as `make run` does for its own.
set -eu
gateway=http://$(docker compose port gateway 8000)
cat <<END

Liên Thông runs in Docker; \`make down\` ends it, and the data stays.
  API pages   $gateway/docs
  services    inside alone, behind the gateway: identity, dossier, sync, each with its worker
  logs        docker compose logs --follow gateway
END
if board=$(docker compose --profile watch port grafana 3000 2>/dev/null) && [ -n "$board" ]; then
  echo "  board       http://$board"
fi
if [ "$(docker compose exec -T identity printenv SANDBOX)" = true ]; then
  echo "  sandbox     docker compose cp identity-prepare:/sandbox/sandbox.json sandbox.json"
  echo "  story       make demo-docker"
else
  echo "  clients     none: register the first operators (README.md), or make down, SANDBOX=true make up"
fi
