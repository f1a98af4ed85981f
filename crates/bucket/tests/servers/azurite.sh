#!/usr/bin/env bash
# Azurite, the emulator of Azure Blob Storage. Account and key are those that it is known for.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_npm azurite/dist/src/blob/main.js azurite 3.37.0
installed
port=$(free_port)
account=devstoreaccount1
key=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
# Its garbage collection, ten minutes after the start, blocks the server: for each extent it sorts all of them.
cat >"$work/no-gc.js" <<JS
require("${program%/main.js}/gc/BlobGCManager.js").default.prototype.start = async () => {};
JS
run azurite node --require "$work/no-gc.js" "$program" --blobHost 127.0.0.1 --blobPort "$port" --inMemoryPersistence --silent \
    --skipApiVersionCheck --disableTelemetry

create_container() {
    node - "$port" "$account" "$key" "$bucket" <<'JS'
const [port, account, key, container] = process.argv.slice(2);
const date = new Date().toUTCString(), version = "2021-08-06";
const text = "PUT" + "\n".repeat(12) + `x-ms-date:${date}\nx-ms-version:${version}\n` +
    `/${account}/${account}/${container}\nrestype:container`;
const hmac = require("crypto").createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
const headers = {"x-ms-date": date, "x-ms-version": version, "Authorization": `SharedKey ${account}:${hmac}`};
fetch(`http://127.0.0.1:${port}/${account}/${container}?restype=container`, {method: "PUT", headers})
    .then((response) => process.exit(response.ok ? 0 : 1), () => process.exit(1));
JS
}
until_true 120 create_container
serve "AZURE_STORAGE_ACCOUNT_NAME=$account" "AZURE_STORAGE_ACCOUNT_KEY=$key" \
    "AZURE_STORAGE_ENDPOINT=http://127.0.0.1:$port/$account" AZURE_ALLOW_HTTP=true \
    "AZURE_CONTAINER_NAME=$bucket"
