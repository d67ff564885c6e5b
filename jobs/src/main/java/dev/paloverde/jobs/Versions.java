package dev.paloverde.jobs;

import picocli.CommandLine;

/** What this is. */
final class Versions implements CommandLine.IVersionProvider {
    /** The version in the jar's manifest; outside a jar there is none. */
    static final String PALOVERDE = Versions.class.getPackage().getImplementationVersion() == null
            ? "unpackaged"
            : Versions.class.getPackage().getImplementationVersion();

    @Override
    public String[] getVersion() {
        return new String[] {"paloverde " + PALOVERDE};
    }
}
