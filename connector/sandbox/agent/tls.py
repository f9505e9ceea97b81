"""The TLS listener of the simulated agent: right, or wrong in one of the ways IIS sites are.

A profile says what the listener shows. `use` changes the certificates while it runs, as when an
administrator renews one. It counts the handshakes that were finished and the bytes that came
through them, so that a test can prove that a client sent nothing to a server it does not trust.
"""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path
from typing import Any, Final, Literal, get_args

from connector.sandbox.agent.tls_certificates import Authority, Issued, issue, place

TlsProfile = Literal[
    "good",
    "unknown-ca",
    "self-signed",
    "ends-soon",
    "expired",
    "not-yet-valid",
    "wrong-host",
    "common-name-only",
    "missing-intermediate",
    "tls1.0",
    "tls1.1",
    "tls1.3",
    "sni",
    "other-site",
]
PROFILES: Final[tuple[str, ...]] = get_args(TlsProfile)

TLS_HOST: Final = "localhost"  # the name in the endpoint: an address carries no SNI
NAMES: Final = (TLS_HOST, "127.0.0.1", "::1")
WRONG: Final = (f"{TLS_HOST}.acme.test", "sage.acme.test")
OTHER_COMPANY: Final = "UMBRELLA"
OTHER_SITES: Final = ("intranet.acme.test", "www.acme.test")

_ONLY: Final = {
    "tls1.0": ssl.TLSVersion.TLSv1,
    "tls1.1": ssl.TLSVersion.TLSv1_1,
    "tls1.3": ssl.TLSVersion.TLSv1_3,
}


class TlsListener:
    """What the agent listens with. `folder` keeps the PEM files.

    `client_certificates` "required" ends the handshake of a client without a certificate of
    `authority`.
    """

    def __init__(
        self,
        folder: Path,
        profile: TlsProfile = "good",
        *,
        client_certificates: Literal["ignored", "required"] = "ignored",
    ) -> None:
        self.authority = Authority()
        self.handshakes = 0  # finished
        self.application_bytes = 0  # received after a handshake
        self.server_names: list[str | None] = []  # of every hello: SNI, None without
        self._folder = folder
        self._only = _ONLY.get(profile)
        self.ca_bundle = folder / "ca.pem"
        place(self.ca_bundle, self.authority.root.pem)
        self._files = 0
        self._sites: dict[str | None, ssl.SSLContext] = {}
        self._default: ssl.SSLContext
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.sslobject_class = self._counting()
        self.context.set_servername_callback(self._choose)
        self._limit(self.context)
        if client_certificates == "required":
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(self.ca_bundle)
        self.served: Issued
        self.use(profile)

    def use(self, profile: TlsProfile) -> Issued:
        """Show this profile's certificates from the next connection on; the TLS version stays."""
        return self._show(self._certificates(profile), chain=profile != "missing-intermediate")

    def show(self, issued: Issued) -> Issued:
        """Show this very certificate from the next connection on."""
        return self._show({None: issued}, chain=True)

    def _show(self, made: dict[str | None, Issued], *, chain: bool) -> Issued:
        sites = {name: self._holding(issued, chain=chain) for name, issued in made.items()}
        # An OpenSSL server without a certificate of its own chooses no cipher.
        self.context.load_cert_chain(self._write(made[None]))
        self._sites = sites
        self.served = made.get(TLS_HOST, made[None])
        return self.served

    def client(self, common_name: str = "ml-connector") -> Path:
        """A PEM file with the key and certificate of a client that this listener trusts."""
        return self.authority.client(common_name).write(self._folder / f"{common_name}.pem")

    def client_files(self) -> tuple[Path, Path]:
        """The same as a client is configured: a file with the certificate, one with its key."""
        certificate, key = self._folder / "client.pem", self._folder / "client.key"
        self.authority.client("ml-connector").write_pair(certificate, key)
        return certificate, key

    def _certificates(self, profile: TlsProfile) -> dict[str | None, Issued]:
        """What is shown by the name asked for; None: for any other, and without one."""
        server = self.authority.server
        match profile:
            case "unknown-ca":
                return {None: Authority(OTHER_COMPANY).server(*NAMES)}
            case "self-signed":
                return {None: issue(TLS_HOST, NAMES)}
            case "ends-soon":
                return {None: server(*NAMES, days=(-70, 20))}
            case "expired":
                return {None: server(*NAMES, days=(-90, -2))}
            case "not-yet-valid":
                return {None: server(*NAMES, days=(2, 90))}
            case "wrong-host":
                return {None: server(*WRONG)}
            case "common-name-only":
                return {None: issue(TLS_HOST, by=self.authority.intermediate)}
            case "sni":
                return {None: server(OTHER_SITES[0]), TLS_HOST: server(*NAMES)}
            case "other-site":
                return {None: server(OTHER_SITES[0]), TLS_HOST: server(OTHER_SITES[1])}
            case _:
                return {None: server(*NAMES)}

    def _holding(self, issued: Issued, *, chain: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._limit(context)
        context.load_cert_chain(self._write(issued, chain=chain))
        if self.context.verify_mode is ssl.CERT_REQUIRED:
            context.load_verify_locations(self.ca_bundle)  # asked of the context chosen last
        return context

    def _write(self, issued: Issued, *, chain: bool = True) -> Path:
        self._files += 1
        return issued.write(self._folder / f"server-{self._files}.pem", chain=chain)

    def _choose(
        self, hello: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: object
    ) -> int | None:
        """IIS's choice of a site: by SNI, else the binding that asks for none."""
        self.server_names.append(name)
        hello.context = self._sites.get(name, self._sites[None])
        return None

    def _limit(self, context: ssl.SSLContext) -> None:
        if self._only is None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old on purpose
            context.minimum_version = context.maximum_version = self._only
        if self._only < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")

    def _counting(self) -> type[ssl.SSLObject]:
        listener = self

        class Counting(ssl.SSLObject):
            """The server's side of one connection."""

            refused = False

            def do_handshake(self) -> None:
                try:
                    super().do_handshake()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    raise
                except ssl.SSLError:
                    if self.refused:
                        raise
                    # asyncio would hang up without sending the alert that says why; asked to
                    # wait for more, it sends it, and the client hangs up.
                    self.refused = True
                    raise ssl.SSLWantReadError from None
                listener.handshakes += 1

            def read(self, *arguments: Any) -> Any:
                got = super().read(*arguments)  # bytes, or into a buffer how many
                listener.application_bytes += len(got) if isinstance(got, bytes) else got
                return got

        return Counting
