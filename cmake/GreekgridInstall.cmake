# install() and the package configuration.
