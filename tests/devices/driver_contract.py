from devices.contract.suite import DriverContract

__all__ = ["DriverContract"]
