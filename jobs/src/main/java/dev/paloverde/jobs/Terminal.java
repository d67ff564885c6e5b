package dev.paloverde.jobs;

import java.io.OutputStream;
import java.io.PrintStream;

/**
 * Where a job speaks. Results and reports go to standard output, progress and failures to standard error. On a terminal
 * progress is one line that is written anew; elsewhere it is a line now and then.
 */
final class Terminal {
    private static final String ERASE = "\r\u001b[K";

    private final PrintStream out;
    private final PrintStream err;
    private final boolean interactive;
    private boolean lineOpen;

    Terminal(PrintStream out, PrintStream err, boolean interactive) {
        this.out = out;
        this.err = err;
        this.interactive = interactive;
    }

    static Terminal standard() {
        return new Terminal(System.out, System.err, System.console() != null);
    }

    /** {@return the same terminal for a job within a command: its report stays unsaid} */
    Terminal withoutReports() {
        return new Terminal(new PrintStream(OutputStream.nullOutputStream()), err, interactive);
    }

    boolean isInteractive() {
        return interactive;
    }

    /** Says a part of the result. */
    synchronized void say(String text) {
        endLine();
        out.println(text);
        out.flush();
    }

    /** Says what goes on, to stay on the screen. */
    synchronized void note(String text) {
        endLine();
        err.println(text);
        err.flush();
    }

    /** Says that something broke, and where. */
    synchronized void failure(String text, Throwable failure) {
        endLine();
        err.println(text);
        failure.printStackTrace(err);
        err.flush();
    }

    /** Says how far it is; takes the place of what was said so before. */
    synchronized void progress(String text) {
        if (interactive) {
            err.print(ERASE + text);
            lineOpen = true;
        } else {
            err.println(text);
        }
        err.flush();
    }

    private void endLine() {
        if (lineOpen) {
            err.print(ERASE);
            err.flush();
            lineOpen = false;
        }
    }
}
