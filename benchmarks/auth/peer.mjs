// aws-jwt-verify in a separate process, as an execution environment at the edge would run it.
//   node peer.mjs given.json once     verify one token, print the memory used: a cold start
//   node peer.mjs given.json hot      print CPU microseconds per verification: first pass, settled
import { readFileSync } from "node:fs";
import { CognitoJwtVerifier } from "aws-jwt-verify";

const [input, mode] = process.argv.slice(2);
const { tokens, jwks, userPoolId, clientId } = JSON.parse(readFileSync(input, "utf8"));
const verifier = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse: "access" });
verifier.cacheJwks(jwks);
verifier.verifySync(tokens[0]);

function pass() {
  const before = process.cpuUsage();
  for (const token of tokens) verifier.verifySync(token);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / tokens.length;
}

if (mode === "once") {
  console.log(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
} else {
  const first = pass();
  console.log(first, Math.min(...Array.from({ length: 10 }, pass)));
}
