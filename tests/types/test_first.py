from __future__ import annotations
import time
from typing import Any
import expected
import pytest

@pytest.mark.parametrize("fmt",["parquet","orc","avro","json","csv"])
def test_first(lake: Any, fmt: str) -> None:
    items=[{"id":{"S":"a"},"Rating":{"N":"5"},"price":{"N":"1.25"},"tags":{"SS":["b","a"]},"m":{"M":{"A-b":{"N":"1"},"x":{"L":[{"N":"1"},{"S":"q"}]}}},"bin":{"B":b"\x00\xff"},"nul":{"NULL":True},"mix":{"N":"7"},"e":{"M":{}},"el":{"L":[]},"big":{"N":"1E+125"}},
 {"id":{"S":"b"},"Rating":{"N":"12345678901234567890"},"price":{"N":"100"},"mix":{"M":{"z":{"BOOL":True},"a":{"NULL":True}}},"big":{"N":"0.5"},"ok":{"BOOL":False},"ns":{"NS":["3","-1","2"]},"l":{"L":[{"M":{"k":{"S":"v"}}},{"M":{"j":{"N":"1"}}}]}}]
    for reader in ("native","connector","export"):
        t0=time.time()
        t=lake.table(fmt, items, ReadMode=reader)
        lake.dynamodb.update_continuous_backups(TableName=t.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
        m=t.run()
        scanned=t.scan()
        if reader=="connector": scanned=[expected.through_connector(i) for i in scanned]
        rules=expected.Rules()
        cols=expected.columns(scanned,rules)
        want=sorted((expected.row(i,cols,fmt) for i in scanned), key=lambda r:r["id"])
        got=sorted(t.view(), key=lambda r:r["id"])
        print(fmt,reader,time.time()-t0)
        assert [(c["name"],c["type"]) for c in m["schema"]]==[(c.name,expected.hive(c.kind,fmt)) for c in cols]
        assert got==want
