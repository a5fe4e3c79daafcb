"""blackthorn.toml: the template round-trips, and every mistake is named with its key."""

import pytest

from blackthorn.errors import ConfigError
from blackthorn.programs.server import configuration
from blackthorn.programs.server.folder import render_template
from tools.reference_tables import settings_table

DOMAIN = '[enterprise]\ndomain = "acme.example"\n'


def load(text: str, **environment: str) -> configuration.Configuration:
    return configuration.parse(DOMAIN + text, environment)


def test_the_template_is_the_defaults():
    chosen = {("enterprise", "domain"): "acme.example", ("link", "port"): 4101}
    parsed = configuration.parse(render_template(chosen), {})
    assert parsed.enterprise.domain == "acme.example"
    assert parsed.link.port == 4101
    assert parsed.smtp == configuration.SmtpSettings()


def test_everything_listens_on_loopback_unless_told():
    parsed = load("")
    hosts = {parsed.link.host, parsed.smtp.host, parsed.ledger.host, parsed.ops.host}
    assert hosts == {"127.0.0.1"}
    assert (parsed.link.port, parsed.smtp.port, parsed.ops.port) == (3101, 2525, 8101)
    assert (parsed.ledger.port, parsed.ledger.witness_port) == (3102, 3103)


def test_every_commented_default_of_the_template_can_be_uncommented():
    template = render_template({("enterprise", "domain"): "acme.example"})
    lines = [
        line.removeprefix("# ") if " = " in line and line.startswith("# ") else line
        for line in template.splitlines()
    ]
    assert configuration.parse("\n".join(lines), {}) == load("")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[link]\nprot = 1", r"unknown key link.prot; did you mean port\?"),
        ("[lnik]\nport = 1", r"unknown section \[lnik\]; did you mean link\?"),
        ("[zzzz]\n", r"unknown section \[zzzz\]; known are enterprise, link"),
        ("[link]\nxyzzy = 1", "unknown key link.xyzzy; known are host, port, public"),
        ("[link]\nport = '3101'", "link.port must be a number, not '3101'"),
        ("[link]\nport = true", "link.port must be a number, not True"),
        ("[link]\nport = 65536", "link.port must be from 0 to 65535, not 65536"),
        ("[link]\nport = -1", "link.port must be from 0 to 65535"),
        ("[link]\npublic = 'nowhere'", "link.public must be HOST:PORT"),
        ("[smtp]\nsealing_workers = 999", "smtp.sealing_workers must be from 0"),
        ("[ledger]\nwitness = 'me'", "ledger.witness must be one of embedded, none, not 'me'"),
        ("[ledger]\nheartbeat_seconds = 0", "heartbeat_seconds must be from 1 to 86400"),
        ("[log]\nlevel = 'loud'", "log.level must be one of debug, info, warning, error"),
        ("[database]\ncheck_at_start = 1", "database.check_at_start must be true or false"),
        ("[link]\nport = 2525", "link.port and smtp.port are both 2525: give each"),
        ("[link]\nhost = '0.0.0.0'\nport = 8101", "link.port and ops.port are both 8101"),
        ("[ops]\nport = 3103", "ops.port and ledger.witness_port are both 3103"),
        ("[link]\npublic = '0.0.0.0:3101'", "no address that a device can reach"),
        ("[link", "not TOML"),
    ],
)
def test_a_mistake_is_named(text, message):
    with pytest.raises(ConfigError, match=message):
        load(text)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ('""', "enterprise.domain is missing"),
        ('"Acme.example"', "in lower case"),
        ('"acme"', "not a host name"),
        ('"acme..example"', "not a host name"),
        ("1", "enterprise.domain must be a text, not 1"),
        ('["acme.example"]', "enterprise.domain must be a text"),
    ],
)
def test_a_wrong_domain_is_named(domain, message):
    with pytest.raises(ConfigError, match=message):
        configuration.parse(f"[enterprise]\ndomain = {domain}\n", {})


def test_a_value_where_a_section_belongs_is_named():
    with pytest.raises(ConfigError, match=r"\[link\] is a section"):
        configuration.parse("link = 1", {})


def test_the_environment_overrides_the_file():
    parsed = load(
        "[link]\nport = 1",
        BLACKTHORN_LINK_PORT="2",
        BLACKTHORN_ENTERPRISE_DOMAIN="other.example",
        BLACKTHORN_DATABASE_CHECK_AT_START="false",
    )
    assert parsed.link.port == 2
    assert parsed.enterprise.domain == "other.example"
    assert parsed.database.check_at_start is False
    with pytest.raises(ConfigError, match="BLACKTHORN_LINK_PORT must be a number, not 'x'"):
        load("", BLACKTHORN_LINK_PORT="x")


def test_activation_urls_name_the_public_address():
    assert configuration.public_address(load("")) == ("127.0.0.1", 3101)
    public = load("[link]\npublic = '[2001:db8::1]:443'")
    assert configuration.public_address(public) == ("2001:db8::1", 443)
    with pytest.raises(ConfigError, match=r"set link\.public"):
        configuration.public_address(load("[link]\nport = 0"))
    for host in ("0.0.0.0", "::"):
        with pytest.raises(ConfigError, match=r"can reach: set link\.public"):
            configuration.public_address(load(f"[link]\nhost = '{host}'"))


def test_services_may_share_a_port_on_different_addresses():
    load("[link]\nhost = '192.0.2.1'\nport = 2525")
    load("[link]\nport = 0\n[smtp]\nport = 0")
    load("[ops]\nport = 3103\n[ledger]\nwitness = 'none'")


def test_the_documentation_names_every_key():
    text = settings_table()
    for name, kind in configuration.SECTIONS.items():
        for key in kind.__dataclass_fields__:
            assert f"| `{key}` |" in text and configuration.variable(name, key) in text


def test_a_folder_without_a_file_is_told_from_one_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no blackthorn\.toml: `blackthorn init"):
        configuration.load(tmp_path, {})
    (tmp_path / "photo").touch()
    with pytest.raises(ConfigError, match="it is not a server's folder; name that"):
        configuration.load(tmp_path, {})
    with pytest.raises(ConfigError, match=f"photo is a file: name its folder, {tmp_path}$"):
        configuration.load(tmp_path / "photo", {})
    (tmp_path / "blackthorn.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        configuration.load(tmp_path, {})


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [("SMTP_PRT", "SMTP_PORT"), ("LNIK_PORT", "LINK_PORT"), ("LOG_VOLUME", "LOG_LEVEL")],
)
def test_a_mistyped_variable_is_told_with_the_nearest(mistyped: str, meant: str):
    wanted = rf"BLACKTHORN_{mistyped} is no setting; did you mean BLACKTHORN_{meant}\?"
    with pytest.raises(ConfigError, match=wanted):
        load("", **{f"BLACKTHORN_{mistyped}": "1"})


def test_variables_of_devices_and_tools_are_no_settings():
    others = ("DIR", "HOME", "KEY_FILE", "PASSPHRASE_FILE", "SEED", "SERVER", "MAIL_CORPUS")
    assert load("", **{f"BLACKTHORN_{name}": "x" for name in others}) == load("")
