#!/bin/sh
# Initialises an empty database as the only OpenBao process that can lead, then stops. Does nothing
# when it is initialised already. ACTIVE_ADDR is the active Service, asked ACTIVE_TRIES times, a second apart; BAO_ADDR
# is the server started here. ALONE says that no other server can be there; LOGIN is the path of Rails' login.
set -u

# asked prints how the server at an address answers a login without a token: "missing token" comes only
# after OpenBao has found the role, and OpenBao does not ask GitLab for it. Without LOGIN, being unsealed will do.
asked() {
  if [ -n "$LOGIN" ]; then
    bao write -address="$1" "$LOGIN" role=app 2>&1
  elif bao status -address="$1" >/dev/null 2>&1; then
    echo "missing token"
  else
    echo "sealed, or no answer"
  fi
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
    case "$(asked "$address")" in
      *"missing token"*)
        echo "bootstrap: already initialised, an active server answers"
        exit 0
        ;;
    esac
  done
  tries=$((tries - 1))
  [ "$tries" -eq 0 ] || sleep 1
done

# Beside other servers only an empty database may be touched, or this one could lead a database that is theirs. A server
# that cannot unseal tells which it is. Its answer decides, not an exit code: "bao" has the same one for "no connection".
if [ "${ALONE:-false}" != true ]; then
  bao server -config="${OPENBAO_CONFIG_DIRECTORY%/}/probe" >/dev/null 2>&1 &
  server=$!
  trap 'kill "$server" 2>/dev/null' EXIT
  trap 'exit 143' TERM INT
  empty=
  while [ -z "$empty" ]; do
    case "$(bao status -format=json 2>/dev/null)" in
      *'"initialized": true'*) empty=false ;;
      *'"initialized": false'*) empty=true ;;
      *)
        if ! kill -0 "$server" 2>/dev/null; then
          echo "bootstrap: cannot tell whether the database is initialised: it does not answer, or has another seal" >&2
          echo "  hint: the pods' logs say more; without Rails' needs, set config.initialize.enabled=false" >&2
          exit 1
        fi
        sleep 1
        ;;
    esac
  done
  kill "$server"
  wait "$server"
  if [ "$empty" = false ]; then
    echo "bootstrap: the database is initialised, no active server answers: left to the pods"
    exit 0
  fi
fi

bao server -config="$OPENBAO_CONFIG_DIRECTORY" &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT
trap 'exit 143' TERM INT

# The listener opens after self-initialisation, so its first answer means that this is over.
while :; do
  answer=$(asked "$BAO_ADDR")
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
