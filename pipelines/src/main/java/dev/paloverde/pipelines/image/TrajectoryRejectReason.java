package dev.paloverde.pipelines.image;

/** Why a step of a trajectory is not kept: few, stable and countable. The first that holds is given. */
public enum TrajectoryRejectReason {
    /** The file with the actions cannot be opened, is gone, or ends in an error. */
    UNREADABLE_FILE,
    /** The line is longer than allowed. */
    LINE_TOO_LONG,
    /** The line is no JSON object with a {@code frame} and an {@code action}, both strings. */
    INVALID_RECORD,
    /** The action is not of the form {@code action: dx=.., dy=.., dyaw=.., rel_t=..}. */
    MALFORMED_ACTION,
    /** The action's time is not after that of the action before. */
    TIME_NOT_ASCENDING,
    /** The frame's name is a path out of the trajectory's folder, or into another. */
    UNSAFE_FRAME,
    /** The frame is not there, or cannot be read. */
    NO_FRAME,
    /** The frame's file is larger than allowed. */
    FRAME_TOO_LARGE,
    /** The frame's bytes are no image, or claim more pixels than allowed. */
    INVALID_FRAME
}
