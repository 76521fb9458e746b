// Starts OpenID Connect's code flow with PKCE at ScaiKey, as a canvas does.
"use strict";

const encode = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => encode(crypto.getRandomValues(new Uint8Array(32)));

function complain(text) {
  const problem = document.getElementById("problem");
  problem.textContent = text;
  problem.hidden = false;
}

async function signIn() {
  const config = await (await fetch("/api/v1/auth/config")).json();
  if (config.auth_mode !== "scaikey") {
    complain("This server has no ScaiKey configured, so nobody can sign in. Set SCAIKEY_BASE_URL.");
    return;
  }
  const here = location.origin + "/auth/callback";
  if (config.redirect_uri !== here) {
    complain("Sign in through the canvas: ScaiKey sends the browser back to " + config.redirect_uri + ".");
    return;
  }
  const verifier = random();
  const state = random();
  sessionStorage.setItem("scaiflow_sign_in", JSON.stringify({ verifier, state }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: here,
    scope: "openid profile email",
    state,
    code_challenge: encode(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  location.assign(config.scaikey_base_url + "/api/v1/platform/oauth/authorize?" + query);
}

document.getElementById("sign-in").addEventListener("click", () => {
  signIn().catch(() => complain("The server does not answer. Is it still running?"));
});
