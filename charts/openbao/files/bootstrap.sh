#!/bin/sh
# Initialises an empty database as the only OpenBao process there is, then stops. Does nothing when
# GitLab's role is there already. ACTIVE_ADDR is the active Service, asked ACTIVE_TRIES times, a second apart; BAO_ADDR
# is the server started here.
set -u

# role_app prints why a login without a token is refused: "missing token" comes only after OpenBao has
# found the role, and OpenBao does not ask GitLab for it.
role_app() {
  bao write -address="$1" auth/gitlab_rails_jwt/login role=app 2>&1
}

# Not at all on an install: nothing serves, and looking up a name that is not there can take seconds. More than once on an
# upgrade: a leader may be changing, and a server started here would run for leadership, too.
# In both schemes: an upgrade may switch the listener's TLS, and the pods that serve do not know that yet.
case "$ACTIVE_ADDR" in
  https://*) before="http://${ACTIVE_ADDR#https://}" ;;
  *) before="https://${ACTIVE_ADDR#http://}" ;;
esac
tries=${ACTIVE_TRIES:-1}
while [ "$tries" -gt 0 ]; do
  for address in "$ACTIVE_ADDR" "$before"; do
    case "$(role_app "$address")" in
      *"missing token"*)
        echo "bootstrap: already initialised, an active server answers"
        exit 0
        ;;
    esac
  done
  tries=$((tries - 1))
  [ "$tries" -eq 0 ] || sleep 1
done

bao server -config="$OPENBAO_CONFIG_DIRECTORY" &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT
trap 'exit 143' TERM INT

# The listener opens after self-initialisation, so its first answer means that this is over.
while :; do
  answer=$(role_app "$BAO_ADDR")
  case "$answer" in
    *"missing token"*)
      echo "bootstrap: initialised, GitLab's role is there"
      kill "$server"
      wait "$server"
      exit 0
      ;;
    *"could not be found"* | *"could not load configuration"* | *"permission denied"*)
      echo "bootstrap: the database is initialised, but without GitLab's mount: $answer" >&2
      echo "  cause: an earlier initialisation was interrupted, or was not GitLab's" >&2
      echo "  hint: if it holds nothing of worth, empty its tables and upgrade again; else set config.initialize.enabled=false" >&2
      exit 1
      ;;
  esac
  if ! kill -0 "$server" 2>/dev/null; then
    wait "$server"
    echo "bootstrap: the server ended with status $?; last answer: $answer" >&2
    exit 1
  fi
  sleep 1
done
