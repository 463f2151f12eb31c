/** Reads a table with emr-dynamodb-hadoop and writes parquet, as its users do in Spark.
  *
  * Arguments: `given` or `inferred`, the schema as Spark's JSON (or -), the directory to write, and
  * the connector's settings as name=value.
  */
import com.amazonaws.services.dynamodbv2.model.AttributeValue
import org.apache.hadoop.dynamodb.DynamoDBItemWritable
import org.apache.hadoop.dynamodb.read.DynamoDBInputFormat
import org.apache.hadoop.io.Text
import org.apache.hadoop.mapred.JobConf
import org.apache.spark.sql.{Row, SparkSession}
import org.apache.spark.sql.types._
import org.apache.spark.storage.StorageLevel
import scala.collection.JavaConverters._

object ConnectorJob {
  def main(arguments: Array[String]): Unit = {
    val Array(way, schema, output, settings @ _*) = arguments
    val spark = SparkSession.builder.getOrCreate()
    import spark.implicits._
    val conf = new JobConf(spark.sparkContext.hadoopConfiguration)
    settings.map(_.split("=", 2)).foreach { case Array(name, value) => conf.set(name, value) }
    val items = spark.sparkContext
      .hadoopRDD(conf, classOf[DynamoDBInputFormat], classOf[Text], classOf[DynamoDBItemWritable])
      .map(_._2)
    if (way == "given") {
      val structure = DataType.fromJson(schema).asInstanceOf[StructType]
      val rows = items.map(item => row(item.getItem, structure))
      spark.createDataFrame(rows, structure).write.parquet(output)
    } else {
      // Kept, because Spark reads once to infer the schema and once to write.
      val lines = items.map(_.toString).persist(StorageLevel.MEMORY_AND_DISK_SER)
      spark.read.json(lines.toDS).write.parquet(output)
    }
    spark.stop()
  }

  private def row(item: java.util.Map[String, AttributeValue], structure: StructType): Row =
    Row.fromSeq(structure.fields.map(field => value(item.get(field.name), field.dataType)))

  private def value(held: AttributeValue, kind: DataType): Any = if (held == null) null else kind match {
    case StringType => held.getS
    case LongType => held.getN.toLong
    case _: DecimalType => new java.math.BigDecimal(held.getN)
    case BooleanType => held.getBOOL
    case structure: StructType => row(held.getM, structure)
    case ArrayType(element, _) => held.getL.asScala.map(value(_, element)).toSeq
  }
}
