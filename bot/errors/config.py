"""What the operator set."""

from bot.errors.root import SluiceError


class ConfigError(SluiceError):
    """What the operator set."""


class ConfigFileError(ConfigError):
    """A file that the settings come from, or that they name, cannot be used."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"the file {path} cannot be used: {fault}; correct the file or the path")
        self.path = path
        self.fault = fault


class ConfigValueError(ConfigError):
    """Values that their settings do not take.

    Parameters
    ----------
    problems : list of (name, value, fault)
        All of them; the value of a secret setting is masked, and empty where the fault is the name's.
    """

    def __init__(self, problems: list[tuple[str, str, str]]) -> None:
        lines = [f"{name}{f' = {value}' if value else ''}: {fault}" for name, value, fault in problems]
        super().__init__("the settings are not usable: " + "; ".join(lines))
        self.problems = problems


class UnknownSettingError(ConfigError):
    """A setting that does not exist.

    Parameters
    ----------
    name : str
        As it was written.
    source : str
        The file, or the environment.
    closest : str or None
        The known setting that looks most like it.
    """

    def __init__(self, name: str, source: str, closest: str | None) -> None:
        advice = f"did you mean {closest}?" if closest else "`sluice config show` lists what there is"
        super().__init__(f"{source} sets {name}, which is no setting; {advice}")
        self.name = name
        self.source = source
        self.closest = closest
