"""Every night: score what came in, then generate for what scored well. Airflow 3 with the Apache Spark provider.

Both jobs resume by content, so a retry goes on where the last try ended and a run by hand does no harm. A job's exit
status is what the task's is: 0 is success, all else fails the task and is retried (see `bin/paloverde --help`).
"""

from datetime import datetime, timedelta

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG

JAR = "/opt/paloverde/paloverde.jar"
MODEL = "hdfs:///models/Llama-3.2-1B-Instruct"
CONFIGURATION = {
    "spark.sql.extensions": "dev.paloverde.udfs.sql.PaloverdeExtensions",
    "spark.executor.extraJavaOptions": "--add-modules=jdk.incubator.vector",
    "spark.driver.extraJavaOptions": "--add-modules=jdk.incubator.vector",
    "spark.speculation": "false",
    "spark.paloverde.kv-memory": "2g",
}


def job(name, main_class, arguments):
    return SparkSubmitOperator(
        task_id=name,
        conn_id="spark_default",
        application=JAR,
        java_class=main_class,
        application_args=arguments,
        conf=CONFIGURATION,
        executor_cores=8,
        executor_memory="8g",
        driver_memory="2g",
        num_executors=4,
    )


with DAG(
    dag_id="paloverde_nightly",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # two runs over one output would do the same rows twice
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
) as dag:
    score = job(
        "score",
        "dev.paloverde.jobs.Score",
        ["--input", "hdfs:///corpus/raw", "--output", "hdfs:///corpus/scored", "--model", MODEL],
    )
    generate = job(
        "generate",
        "dev.paloverde.jobs.Generate",
        [
            "--input", "hdfs:///corpus/scored",
            "--where", "status = 'ok' AND bits_per_byte < 1.2",
            "--prompt-template", "{text}\n\nSummary:",
            "--output", "hdfs:///corpus/summaries",
            "--model", MODEL,
            "--max-tokens", "256",
        ],
    )
    score >> generate
