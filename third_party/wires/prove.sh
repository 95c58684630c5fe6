#!/usr/bin/env bash
# Proves that the comparisons of `make wires` bite: breaks a copy of api/, and of what nodes say to each other, in
# one way at a time and expects `buf breaking` to refuse it with the finding that the breakage deserves.
set -euo pipefail
cd "$(dirname "$0")/../.."

buf=(go tool -modfile=tools/go.mod buf)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -co --exclude-standard buf.yaml '*.proto' | tar -cf - -T - | tar -xf - -C "$copy"

# The comparisons, as the Makefile has them.
wires() { "${buf[@]}" breaking "$copy/api" --against third_party/wires --error-format json; }
nodes() {
  "${buf[@]}" build "$copy" --path "$copy/internal/protocol/wire" -o - |
    "${buf[@]}" breaking - --against internal/protocol/released --error-format json
}

# breaks FILES SED_SCRIPT FINDING: FILES are a pattern below api/, of which each file has to change.
breaks() { broken wires "api/$1" "$2" "$3"; }

# severs FILES SED_SCRIPT FINDING: the same below internal/protocol/wire/.
severs() { broken nodes "internal/protocol/wire/$1" "$2" "$3"; }

# broken COMPARISON FILES SED_SCRIPT FINDING
broken() {
  local comparison=$1 files=$2 script=$3 finding=$4 file found status=0
  for file in $files; do
    sed "$script" "$file" >"$copy/$file"
    if cmp -s "$file" "$copy/$file"; then
      echo "prove.sh: $script matches nothing in $file" >&2
      exit 1
    fi
  done
  found=$("$comparison") || status=$?
  if ((status != 100)) || ! grep -q "\"$finding\"" <<<"$found"; then
    echo "prove.sh: $script in $files: exit $status without $finding: ${found:-no finding}" >&2
    exit 1
  fi
  for file in $files; do
    cp "$file" "$copy/$file"
  done
}

breaks im/v1/im.proto '/ack_required = 8/d' FIELD_NO_DELETE
breaks im/v1/im.proto 's/from_user_id = 2/from_user_id = 20/' FIELD_NO_DELETE
breaks im/v1/im.proto 's/bytes content = 5/string content = 5/' FIELD_SAME_TYPE
breaks im/v1/im.proto 's/repeated string online_users/string online_users/' FIELD_SAME_CARDINALITY
breaks im/v1/im.proto '/MESSAGE_TYPE_HEARTBEAT = 8/d' ENUM_VALUE_NO_DELETE
breaks im/v1/im.proto 's/stream UploadAudioRequest/UploadAudioRequest/' RPC_SAME_CLIENT_STREAMING
breaks 'im/v1/*.proto' 's/^package im.v1/package im.v2/' PACKAGE_NO_DELETE
breaks gateway/v1/gateway.proto '/rpc BatchPushToClients/,/^  }/d' RPC_NO_DELETE
breaks gateway/v1/gateway.proto 's/uint64 bind_client_seq_id/uint32 bind_client_seq_id/' FIELD_SAME_TYPE
breaks gateway/v1/gateway.proto 's/sent_count = 1/sent = 1/' FIELD_SAME_NAME
breaks gateway/v1/frame.proto 's/string client_id = 2/uint64 client_id = 2/' FIELD_SAME_TYPE
breaks gateway/v1/frame.proto '/REQUEST_ACK = 5/d' ENUM_VALUE_NO_DELETE
breaks gateway/v1/gateway.proto 's/zone_id = 2/zone_id = 7/' FIELD_NO_DELETE
breaks upstream/v1/upstream.proto 's/uint64 client_seq_id = 7/int64 client_seq_id = 7/' FIELD_SAME_TYPE
breaks upstream/v1/upstream.proto '/rpc GetStatus/d' RPC_NO_DELETE
severs payload.proto 's/string sender = 4/string sender = 40/' FIELD_NO_DELETE
severs payload.proto 's/Ephemeral ephemeral = 4/Message ephemeral = 4/' FIELD_SAME_TYPE
severs session.proto 's/uint64 acked = 15/bytes acked = 15/' FIELD_SAME_TYPE
severs push.proto '/PUSH_OUTCOME_KEPT = 3/d' ENUM_VALUE_NO_DELETE
severs presence.proto 's/repeated int32 away/int32 away/' FIELD_SAME_CARDINALITY
severs '*.proto' 's/^package hermod.wire/package hermod.wire2/' PACKAGE_NO_DELETE
echo "every breakage of the published wires, and of what nodes say to each other, was refused"
