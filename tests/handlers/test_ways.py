"""The two ways of the procedure, from login to the certified status."""

from sqlalchemy import select

from models.certification import Certification, Level
from models.database import Database
from tests.support import Officer


async def test_the_lao_certifies_and_then_its_province(lao: Officer, province: Officer, country: Database) -> None:
    await lao.tap("ระบบรับรองข้อมูล", "อปท. รับรองจำนวน")
    await lao.tap("ดำเนินการ(อปท.)", "ยังไม่รับรอง")
    await lao.tap("รับรองข้อมูลระดับ อปท.", "ข้อมูล ณ วันที่ 1 พ.ย. 2569")
    assert "12  ข้าราชการ\n 3  ลูกจ้างประจำ\n 5  พนักงานจ้าง\n20  รวม" in lao.text
    assert "ระเบียนที่ยังบันทึกเมนูไม่ครบ 1 ราย" in lao.text
    await lao.tap("รับรองระดับ อปท.", "อปท. จะไม่สามารถแก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก")
    await lao.tap("ยืนยันการรับรอง", "ประวัติการรับรองข้อมูล")
    await lao.sees("หลักฐานการรับรองของท่าน")

    await province.sees("รอจังหวัดตรวจสอบและรับรอง")
    await province.tap("🔍 เทศบาลตำบลบางปู", "ตรวจสอบข้อมูลระดับจังหวัด")
    await province.tap("รับรองระดับจังหวัด", "ยกเลิกไม่ได้")
    await province.tap("ยืนยันการรับรอง", "สถานะการรับรองข้อมูล: รับรองระดับจังหวัด")
    await lao.sees("จังหวัดได้รับรองข้อมูลของหน่วยงานท่านแล้ว")

    async with country.read() as session:
        made = list(await session.scalars(select(Certification).order_by(Certification.id)))
    assert [one.level for one in made] == [Level.LAO, Level.PROVINCE]
    assert [one.headcount.total for one in made] == [20, 20]
