"""What the administrator of an IIS can do about a refused certificate, problem by problem.

Every remedy names the place to open on the server and what to put into our configuration instead.
A fingerprint is always to be compared on the server itself: what came over an untrusted connection
proves nothing.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from connector.sage100.trust_certificate import Certificate, is_address

Problem = Literal[
    "unknown_ca",
    "self_signed",
    "expired",
    "not_yet_valid",
    "wrong_host",
    "other_site",
    "missing_intermediate",
    "unsuitable",
    "old_tls",
    "no_cipher",
    "pin_mismatch",
    "client_certificate",
    "plain_http",
    "reset",
    "unclear",
]

_BINDING: Final = "IIS Manager → the agent's site → Bindings… → https → Edit"
_NEXT: Final = "The next round sees it; nothing has to be restarted here."
_ON_THE_SERVER: Final = (
    "To compare the fingerprint on the server, PowerShell: Get-ChildItem Cert:\\LocalMachine\\My | "
    "ForEach-Object { $_.Subject; [BitConverter]::ToString([Security.Cryptography.SHA256]::Create()"
    '.ComputeHash($_.RawData)).Replace("-","") }.'
)
_EXPORT: Final = "Details → Copy to File… → Base-64 encoded X.509 (.CER)"
_CLOCK: Final = "See that this machine's clock is right (NTP) too."


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was wanted: the host and port of the endpoint, and what is configured as trusted.

    `path`: of the endpoint. `pin`: "" without one. `presents`: whether we have a certificate of
    our own.
    """

    host: str
    port: int
    path: str = ""
    ca_bundle: str = ""
    pin: str = ""
    presents: bool = False

    def at(self, name: str) -> str:
        """The endpoint under another host name."""
        port = "" if self.port == 443 else f":{self.port}"
        host = f"[{name}]" if ":" in name else name
        return f"https://{host}{port}{self.path}"


def remedy(problem: Problem, asked: Asked, shown: Certificate | None) -> str:
    """What to open, and what to configure."""
    match problem:
        case "unknown_ca":
            return _unknown_ca(asked, shown)
        case "self_signed":
            return (
                "Best: in IIS, let the site use a certificate of your company's CA "
                f"({_BINDING}). Or trust this very certificate: on the server certlm.msc → "
                f"Personal → Certificates → open it → {_EXPORT}, copy the file here and set "
                f'[sage100.tls] ca_bundle = "FILE"{_or_pin(asked, shown)}'
            )
        case "expired":
            return (
                "Renew it: on the server certlm.msc → Personal → Certificates → the certificate → "
                f"All Tasks → Renew…; then {_BINDING} → SSL certificate: choose the new one. "
                f"{_after_renewal(asked)} {_CLOCK}"
            )
        case "not_yet_valid":
            return (
                "Compare the clocks of this machine, of the server and of the CA first; they "
                "should take their time from one source (NTP). If they are right, choose a "
                f"certificate that is valid already: {_BINDING} → SSL certificate."
            )
        case "wrong_host":
            return _wrong_host(asked, shown)
        case "other_site":
            return (
                f"{_BINDING}: Host name = {asked.host}, tick Require Server Name Indication, and "
                f"choose a certificate for {asked.host}. `netsh http show sslcert` on the server "
                "lists which certificate belongs to which host name and port."
                f"{_or_name(asked, shown)}"
            )
        case "missing_intermediate":
            issuer = shown.issuer if shown else "the issuer"
            return (
                "On the server: certlm.msc → Intermediate Certification Authorities → Certificates "
                f"→ All Tasks → Import…: the certificate of {issuer}; then run iisreset, so that "
                "IIS sends it along. Or append that certificate (PEM) to the file named by "
                "[sage100.tls] ca_bundle. If it is the root itself, that is all that is missing: "
                "put it into ca_bundle."
            )
        case "unsuitable":
            return (
                "Issue a certificate made for server authentication, with an RSA key of 2048 bits "
                f"or more (or ECDSA) and signed with SHA-256; then {_BINDING} → SSL certificate."
            )
        case "old_tls":
            return (
                "Enable TLS 1.2 on the server: registry key HKLM\\SYSTEM\\CurrentControlSet\\"
                "Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Server, DWORD "
                "Enabled = 1 and DisabledByDefault = 0, then restart Windows. Older versions are "
                "not used, since they no longer protect a password."
            )
        case "no_cipher":
            return (
                "Enable cipher suites with ECDHE and AES-GCM on the server, for instance "
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: gpedit.msc → Computer Configuration → "
                "Administrative Templates → Network → SSL Configuration Settings → SSL Cipher "
                "Suite Order (or Enable-TlsCipherSuite), then restart Windows."
            )
        case "pin_mismatch":
            mark = shown.fingerprint if shown else ""
            new = f'set [sage100.tls] pin = "{mark}"' if mark else "correct [sage100.tls] pin"
            return (
                f"If the certificate was renewed on purpose: compare the new fingerprint on the "
                f"server, then {new} and restart. If nobody renewed it, somebody stands between: "
                f"do not change the pin. {_ON_THE_SERVER}"
            )
        case "client_certificate":
            return _client_certificate(asked)
        case "plain_http":
            return (
                f"Port {asked.port} is bound to http. IIS Manager → the agent's site → Bindings… → "
                "Add…: type https, its own port (usually 443), a certificate; then set "
                "[[sage100]] endpoint to that port."
            )
        case "reset":
            sni = (
                " An address carries no server name: where all bindings require Server Name "
                "Indication, IIS hangs up; use the host name in [[sage100]] endpoint."
                if is_address(asked.host)
                else ""
            )
            return (
                "See on the server that a certificate is bound to this port and name (`netsh http "
                f"show sslcert`; {_BINDING} → SSL certificate), that its private key is there "
                "(certlm.msc → Personal, a key in the icon), and that TLS 1.2 is enabled; and that "
                f"no firewall in between inspects TLS.{sni}"
            )
        case "unclear":
            return (
                "Look for Schannel errors in the server's event log (eventvwr.msc → Windows Logs → "
                f"System) at this time, and check {_BINDING}."
            )


def _unknown_ca(asked: Asked, shown: Certificate | None) -> str:
    issuer = shown.issuer if shown else ""
    whom = f" ({issuer}, or the root above it)" if issuer else ""
    into = (
        f"add it to {asked.ca_bundle}"
        if asked.ca_bundle
        else 'set [sage100.tls] ca_bundle = "FILE"'
    )
    return (
        f"Trust the CA that issued it{whom}: on the server certlm.msc → Personal → Certificates → "
        f"open the certificate → Certification Path → the topmost → View Certificate → {_EXPORT}; "
        f"copy the file here and {into}{_or_pin(asked, shown)}"
    )


def _or_pin(asked: Asked, shown: Certificate | None) -> str:
    if shown is None or asked.pin:
        return "."
    return (
        f', or set pin = "{shown.fingerprint}" after comparing the fingerprint on the server. '
        f"{_ON_THE_SERVER}"
    )


def _after_renewal(asked: Asked) -> str:
    if asked.pin:
        return "Then set [sage100.tls] pin to the new certificate's fingerprint and restart."
    return _NEXT


def _wrong_host(asked: Asked, shown: Certificate | None) -> str:
    if shown is not None and not shown.names:
        return (
            "Issue a certificate with a subject alternative name: DNS name "
            f"{asked.host} (a name in CN alone counts no more, RFC 9525), for instance "
            f"New-SelfSignedCertificate -DnsName {asked.host} -CertStoreLocation "
            f"Cert:\\LocalMachine\\My, or your CA's web server template; then {_BINDING} → SSL "
            "certificate."
        )
    return (
        f"Issue a certificate that names {asked.host} as a subject alternative name, and choose it "
        f"in {_BINDING} → SSL certificate.{_or_name(asked, shown)}"
    )


def _or_name(asked: Asked, shown: Certificate | None) -> str:
    names = [] if shown is None else [one for one in shown.names if not one.startswith("*.")]
    if not names:
        return ""
    host = next((one for one in names if not is_address(one)), names[0])
    return (
        f' Or, if the agent is reached under a name of this certificate too, use that: endpoint = "'
        f'{asked.at(host)}".'
    )


def _client_certificate(asked: Asked) -> str:
    settings = "IIS Manager → the agent's site → SSL Settings → Client certificates"
    if asked.presents:
        return (
            "Ours was not accepted. See that it is valid, and that its issuer is on the server in "
            "certlm.msc → Trusted Root Certification Authorities (an intermediate: in Intermediate "
            f"Certification Authorities); or {settings}: Ignore."
        )
    return (
        "Give us one: [sage100.auth] client_certificate and client_key, issued by a CA that the "
        f"server trusts. Or {settings}: Ignore, and Negotiate Client Certificate: Disabled in "
        "`netsh http show sslcert`."
    )
