package dev.paloverde.jobs;

import dev.paloverde.pipelines.CarriedColumns;
import dev.paloverde.pipelines.Step;
import java.util.Collection;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/** Makes the step of a job, once the input is known. */
interface Steps {
    /** {@return names that input columns cannot keep} */
    Collection<String> reserved(SparkSession spark);

    /**
     * Binds the step to columns, and checks all that can be checked before work begins: options, columns, the model.
     *
     * @param input the columns of the input
     * @param columns what they are carried as
     */
    Step bind(SparkSession spark, StructType input, CarriedColumns columns);
}
